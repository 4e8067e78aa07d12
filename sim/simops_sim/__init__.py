"""Sample simulations. They know nothing of Kubernetes; the contract is docs/simulation-images.md."""
