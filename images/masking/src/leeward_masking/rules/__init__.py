"""From the rules of a job to the functions that mask a block."""
