"""The `simops` command: runs and sweeps from a terminal, by a gateway or straight by Kubernetes."""
