"""The only place that talks to the API server: apply, compare-and-swap, lease, events.

It implements the ports of the engine without importing it; errors of HTTP end here.
"""
