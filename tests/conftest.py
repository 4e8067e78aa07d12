"""Settings of all tests."""

import os

from hypothesis import settings

# What the folders with a cluster share. pytest takes plugins from here only.
pytest_plugins = ("e2e.fixtures",)

# The machine may be busy: a slow example is no failure. Where a run must give the same answer twice, so do the examples;
# everywhere else new ones are looked for.
settings.register_profile("everywhere", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "everywhere")
