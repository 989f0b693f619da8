"""Bulk edits: many places of many files changed as one thing, looked at first, undone as a restore is."""
