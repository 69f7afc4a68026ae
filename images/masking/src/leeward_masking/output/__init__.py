"""Writing blocks as one sealed file."""
