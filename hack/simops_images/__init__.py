"""Builds the images of this project, with Docker or without, into docker-archives that every cluster can import.

`catalogue` knows what the images are made of (pure), `engines` builds them with Docker or buildah, `base` makes the
system image that a machine without a registry needs, `testbox` the foreign image that tests run.
"""
