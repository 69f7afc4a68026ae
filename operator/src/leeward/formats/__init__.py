"""What crosses a process border: sealed files, keysets, job configs, results.

Pure data: no clock, no network, no API server. Bytes come from and go to file objects that the
caller gives; only ``formats.sealed.files`` opens paths.
"""
