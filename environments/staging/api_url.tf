# The same in every environment: edit environments/development/api_url.tf, then run `make docs`.

output "api_url" {
  description = "URL of the API, by its own domain where it has one: PUT <api_url>/jobs/{jobId} and the rest of docs/api.md."
  value       = module.ai_jobs.api_url
}
