"""`python -m simops_sim` runs the heat equation."""

import sys

from simops_sim.cli import main

if __name__ == "__main__":
    sys.exit(main())
