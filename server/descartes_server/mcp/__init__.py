"""The operations as tools of the Model Context Protocol, for the agents of other programs."""
