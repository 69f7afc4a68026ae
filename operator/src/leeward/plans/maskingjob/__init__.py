"""The plan of a MaskingJob: from a Dataset to a masked, sealed copy of it, exactly once."""

from leeward.plans.maskingjob.planner import MaskingJobPlanner

__all__ = ["MaskingJobPlanner"]
