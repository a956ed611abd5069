"""The checks of `ai-jobs doctor`."""
