"""Who calls (caller), and what they may do (access). RBAC of the cluster is the one permission system: the gateway asks it and decides nothing."""
