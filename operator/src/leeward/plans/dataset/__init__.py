"""The plan of a Dataset: the key that its file is sealed with, and what an inspection finds."""

from leeward.plans.dataset.planner import DatasetPlanner

__all__ = ["DatasetPlanner"]
