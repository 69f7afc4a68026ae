"""Plans: what should be, as pure functions of what is.

One module per kind, each a ``Planner`` (``plans.shared.model``). A plan reads nothing, writes
nothing, and knows neither clock nor randomness: they are in the ``Context`` that it is given.
Plans of different kinds do not import each other; what they share stands in ``plans.shared``.
"""
