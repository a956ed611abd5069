module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = "development"
  tags        = var.tags

  packages = var.packages

  # An environment to try things in: it may be destroyed, and it must not eat up the model's quota.
  processor = merge({ maximum_concurrency = 2 }, var.processor)
  logs      = merge({ level = "DEBUG", retention_days = 7 }, var.logs)
  table     = merge({ deletion_protection = false, point_in_time_recovery = false }, var.table)
  bucket    = merge({ force_destroy = true }, var.bucket)
  jobs      = merge({ retention_days = 7 }, var.jobs)
  api       = merge({ throttling_rate_limit = 20, throttling_burst_limit = 40 }, var.api)

  iam               = var.iam
  vpc               = var.vpc
  kms_key_arn       = var.kms_key_arn
  request_queue     = var.request_queue
  response_queue    = var.response_queue
  result_handler    = var.result_handler
  jobs_api          = var.jobs_api
  reconciler        = var.reconciler
  alarms            = var.alarms
  events            = var.events
  budget            = var.budget
  default_model_id  = var.default_model_id
  model_prices      = var.model_prices
  builtin_job_types = var.builtin_job_types
  job_types         = var.job_types
}
