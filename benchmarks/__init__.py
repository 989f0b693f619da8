"""Measurements, not tests: `make bench` runs them all; each module can be run alone."""
