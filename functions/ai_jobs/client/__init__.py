"""The client of the jobs API. Not part of the Lambda zips; `ai_jobs` itself exports its names."""
