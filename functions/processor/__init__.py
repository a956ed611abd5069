"""The processor function: works on the jobs of the request queue."""
