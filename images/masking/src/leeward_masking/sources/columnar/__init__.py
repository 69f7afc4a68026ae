"""Columnar formats: Parquet and Arrow IPC."""
