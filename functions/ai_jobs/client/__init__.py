"""The client of the jobs API. It is not part of the Lambda zips; `ai_jobs` itself exports its names."""
