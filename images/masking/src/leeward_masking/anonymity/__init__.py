"""Privacy models on classes of equal quasi-identifiers: k-anonymity, l-diversity, t-closeness.

Pure: no files, no clock, no randomness. Rows are counted once (``counts``), by several workers if
need be; the search (``search``) then works on the counts alone. ADR 0017 says why it is exact.
"""
