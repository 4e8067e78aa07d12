"""What is typed becomes values, and values become what is shown (pure: no I/O, no network)."""
