"""The demo: a real health data set with made-up identifiers becomes a masked, sealed one."""
