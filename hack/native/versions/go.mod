// Marks the folder as a module, no more: the builds use v*.mod beside it, one for each version of Kubernetes.
module simops.dev/hack/native/versions

go 1.24.0
