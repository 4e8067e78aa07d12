"""`python -m simops_cli` is `simops`."""

from simops_cli.app import main

if __name__ == "__main__":
    main()
