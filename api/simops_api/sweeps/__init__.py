"""Sweeps: what the cache keeps of one (records), how its points are jobs among others (points), what is done (service), its table, and the calls."""
