output "api_url" {
  description = "URL of the API's stage: POST <api_url>/jobs, GET <api_url>/jobs/{jobId}."
  value       = module.ai_jobs.api_url
}

output "use_policy_arn" {
  description = "ARN of the policy to attach to the roles that submit and read jobs."
  value       = aws_iam_policy.use_ai_jobs.arn
}
