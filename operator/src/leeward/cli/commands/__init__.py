"""The command line itself: names, options and help of every command, and nothing else."""
