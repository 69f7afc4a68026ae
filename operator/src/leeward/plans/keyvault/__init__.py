"""The plan of a KeyVault."""

from leeward.plans.keyvault.planner import KeyVaultPlanner

__all__ = ["KeyVaultPlanner"]
