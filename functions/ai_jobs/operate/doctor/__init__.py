"""The checks of `ai-jobs doctor`, one module for each subject. None changes anything, and none calls a model."""
