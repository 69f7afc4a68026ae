"""spec.privacyModel of a MaskingJob: from rows to counts, from the answer of the search to rows.

What is done to counts stands in ``leeward_masking.anonymity``; ADR 0017 says why.
"""
