"""Takes pictures of the page: a gateway and an API server as the tests of the page have them, with jobs and sweeps that look like somebody's work."""
