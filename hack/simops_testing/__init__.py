"""Runs the tests of this project: what in parallel, what one after another."""
