"""Tests of circuits on whatever runs them best."""
