"""The demonstration: SimOps on a local cluster, one sample job, its results on disk.

`installation` brings up the cluster with SimOps in it, `job` runs a job and tells what happens, `store` reads objects of
the embedded store from outside the cluster, `results` unpacks and shows a bundle.
"""
