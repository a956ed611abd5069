"""The result handler function: writes the outcomes of the response queue to the jobs table."""
