"""Where files lie, and the bytes of a source: volumes and buckets alike."""
