"""Runs: their state machine, their supervisor, and the table that lists them."""
