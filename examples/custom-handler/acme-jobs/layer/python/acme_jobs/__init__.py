"""The job types of Acme whose work is more than one prompt."""
