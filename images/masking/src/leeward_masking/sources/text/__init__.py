"""Text formats: CSV and JSON Lines, however they are packed and encoded."""
