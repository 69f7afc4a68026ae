"""The masking program: what runs in the pods of MaskingJob, Dataset inspection and preview.

It reads one config document and one keyset, works on mounted volumes, and answers with a result;
it never talks to the API server.
"""
