module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = "production"
  tags        = var.tags

  packages = var.packages

  table     = { deletion_protection = true, point_in_time_recovery = true }
  processor = { maximum_concurrency = 20 }
  logs      = { retention_days = 90 }
  jobs      = { retention_days = 90 }

  api = merge(var.api, {
    throttling_rate_limit  = 200
    throttling_burst_limit = 400
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
