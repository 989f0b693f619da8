"""Processes that outlive whoever started them: their identity, their keeper, and their process groups."""
