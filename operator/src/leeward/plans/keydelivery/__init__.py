"""The plan of a KeyDelivery: who may have which keys, who has them by now, and taking them away."""

from leeward.plans.keydelivery.planner import KeyDeliveryPlanner

__all__ = ["KeyDeliveryPlanner"]
