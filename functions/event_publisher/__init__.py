"""The event publisher function: tells EventBridge about every job that ended, from the stream of the jobs table."""
