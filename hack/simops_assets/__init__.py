"""Builds the page of the gateway out of `api/web` into `api/simops_api/ui/dist`, when something has changed.

Node comes from a package of the development environment, everything else from `api/web/package-lock.json`.
"""
