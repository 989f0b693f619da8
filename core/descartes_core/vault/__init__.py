"""Secrets: an encrypted file, who may use them, and values kept out of everything that is printed."""
