"""What the functions share: the lifecycle of a job, its types, its model call, its metrics."""
