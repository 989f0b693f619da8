"""`descartes repl`: a REPL in a terminal."""
