"""Agents: the loop of model and tools, the model port, and the tools themselves."""
