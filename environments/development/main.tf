module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = "development"
  tags        = var.tags

  packages = var.packages

  # An environment to try things in: it may be destroyed, and it must not eat up the model's quota.
  table     = { deletion_protection = false, point_in_time_recovery = false }
  bucket    = { force_destroy = true }
  processor = { maximum_concurrency = 2 }
  logs      = { level = "DEBUG", retention_days = 7 }
  jobs      = { retention_days = 7 }

  api = merge(var.api, {
    throttling_rate_limit  = 20
    throttling_burst_limit = 40
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
