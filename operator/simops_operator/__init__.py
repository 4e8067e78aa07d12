"""The SimOps operator: turns SimulationJobs into Kubernetes Jobs and keeps what they produce."""
