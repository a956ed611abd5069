output "ai_jobs" {
  description = "Every output of the module."
  value       = module.ai_jobs
}
