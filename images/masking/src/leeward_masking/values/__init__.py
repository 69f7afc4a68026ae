"""What values are: their canonical text, exact numbers, nested columns, randomness."""
