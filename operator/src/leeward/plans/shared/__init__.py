"""What plans of several kinds share: the plan model, conditions, pods, policies, grants."""
