# All of them in one: the command `ai-jobs --env` finds them in it.
output "ai_jobs" {
  description = "Every output of the module, e.g. ai_jobs.api_url."
  value       = module.ai_jobs
}
