output "api_url" {
  description = "URL of the API: PUT <api_url>/jobs/{jobId} submits a job."
  value       = module.ai_jobs.api_url
}

output "job_types" {
  description = "The names of the configured job types."
  value       = module.ai_jobs.job_types
}
