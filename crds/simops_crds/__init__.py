"""The one schema of SimOps: both kinds, their names, and the CRDs generated from them."""
