// Marks the folder as a module, no more: each build uses the v*.mod beside it that is its version's. Another patch release: change its number
// in that file and in hack/localcluster/golang.py, then `go mod tidy -modfile=v1.34.mod`.
module simops.dev/hack/native/versions

go 1.24.0
