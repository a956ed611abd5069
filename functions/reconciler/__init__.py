"""The reconciler function: closes jobs that nobody works on any more."""
