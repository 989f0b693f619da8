"""The settings: their one table, where they are read from, their versions, and writing them back."""
