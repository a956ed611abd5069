"""What the functions share: the lifecycle of a job, job types, the model call, metrics, settings."""
