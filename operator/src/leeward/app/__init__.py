"""The Kopf edge: handlers that only enqueue, settings, probes, metrics, and the wiring."""
