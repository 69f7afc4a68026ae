"""Made-up names, addresses and numbers, from lists per locale.

The lists are made by ``tools/names``; what is made up for a subject follows from them and from the
key alone, so a release that changes a list says so.
"""
