"""What operators' commands do; `ai_jobs.cli` prints it."""
