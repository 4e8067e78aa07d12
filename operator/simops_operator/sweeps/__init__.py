"""The shell around ``core/sweeps``: caches, calls to API server and store, and the reconcile of sweeps."""
