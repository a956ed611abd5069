"""The reconciler function: closes jobs that no one works on anymore."""
