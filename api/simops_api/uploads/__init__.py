"""Lists of points for sweeps, uploaded once and named by their digest: read from a body (body), put into the store (service), by a call (routes)."""
