"""The SimOps gateway."""
