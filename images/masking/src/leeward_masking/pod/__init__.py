"""The pod around a task: program, HTTP port, metrics, logs."""
