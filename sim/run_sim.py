"""Run the 1D heat equation: `python run_sim.py --length 1.0 --time_steps 100 --diffusivity 0.01` (see `--help`)."""

import sys

from simops_sim.cli import main

if __name__ == "__main__":
    sys.exit(main())
