"""Buckets of S3-compatible stores."""
