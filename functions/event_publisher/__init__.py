"""The event publisher function: tells EventBridge of every job that ended, from the stream of the jobs table."""
