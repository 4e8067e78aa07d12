"""The page for people at `/ui`: files that `hack/assets` has built out of `api/web`. They ask the public REST API; nothing here knows of jobs."""
