"""The command `ai-jobs`: submit and read jobs, look after an environment. Not part of the Lambda zips."""
