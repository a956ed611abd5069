output "api_url" {
  description = "URL of the API: PUT <api_url>/jobs/{jobId} submits a job."
  value       = module.ai_jobs.api_url
}

output "use_ai_jobs_policy_arn" {
  description = "The policy to attach to the roles of the API's clients."
  value       = aws_iam_policy.use_ai_jobs.arn
}

output "job_types" {
  description = "The names of the configured job types."
  value       = module.ai_jobs.job_types
}
