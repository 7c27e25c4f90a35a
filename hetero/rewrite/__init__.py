"""Rewrites: pure functions from an operation to one that gives the same and takes less."""
