"""`descartes demo`: a true session with the real server on a real library, told on the terminal.

Every step is a request to a server process of its own over stdio; a step that did not happen as described
ends the demo with exit status 1.
"""
