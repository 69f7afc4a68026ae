"""The large report: what it is made from, and what it looks like."""
