"""The transforms: each takes a column of a block and gives it back masked."""
