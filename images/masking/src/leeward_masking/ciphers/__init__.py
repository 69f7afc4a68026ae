"""Ciphers over many values at once, and the keys that they take."""
