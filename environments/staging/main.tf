module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = "staging"
  tags        = var.tags

  packages = var.packages

  # As production, smaller: what fails there should fail here first.
  processor = { maximum_concurrency = 5 }
  logs      = { retention_days = 14 }
  jobs      = { retention_days = 14 }

  api = merge(var.api, {
    throttling_rate_limit  = 50
    throttling_burst_limit = 100
    access_logs            = var.api_access_logs
  })

  alarms = {
    email_addresses      = var.alarm_email_addresses
    page_email_addresses = var.page_email_addresses
    runbook_url          = var.runbook_url
  }

  default_model_id = var.default_model_id
  job_types        = var.job_types
}
