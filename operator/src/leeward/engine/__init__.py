"""The control loop: a work queue and a level-based reconcile.

It knows plans and ports; it knows no kind, neither Kopf nor HTTP. What it needs from outside
stands in ``engine.ports``; ``app.wiring`` joins them.
"""
