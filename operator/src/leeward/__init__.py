"""Leeward: machine learning on personal data in Kubernetes, joined in one control loop.

Imports point one way: ``app, cli -> kube, engine -> plans -> api, formats``.
"""

from typing import Final

__version__: Final = "0.1.0"
