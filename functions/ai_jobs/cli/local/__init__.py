"""`ai-jobs local`: its options, its output, its exit codes."""
