"""A Swank client library: knows no editor and no agent, and can be used alone."""
