"""The local cluster: real Kubernetes on a developer's machine, with Docker (kind) or without (native).

Standard library only and no virtual environment: these are the programs that build everything else.
"""
