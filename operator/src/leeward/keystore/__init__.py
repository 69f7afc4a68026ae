"""All key material of an installation: made, wrapped, rotated, delivered and destroyed.

It keeps wrapped keys in the API server through ``leeward.kube`` and is the only place that holds
material in the clear; nothing here knows plans' decisions, and nothing but ``DeliverKeys`` lets a
key out.
"""
