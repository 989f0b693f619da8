"""What was, at any moment of the log: the conversation of a run (the brain), and going on from there."""
