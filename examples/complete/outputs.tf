# The command `ai-jobs --outputs` reads the module's own outputs by their names.
output "ai_jobs" {
  description = "Every output of the module, e.g. ai_jobs.api_url."
  value       = module.ai_jobs
}

output "use_ai_jobs_policy_arn" {
  description = "The policy to attach to the roles of the API's clients."
  value       = aws_iam_policy.use_ai_jobs.arn
}

output "notices_queue_url" {
  description = "The queue with the jobs that failed and the alarms."
  value       = aws_sqs_queue.notices.url
}
