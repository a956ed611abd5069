module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = "production"
  tags        = var.tags

  packages = var.packages

  processor = merge({ maximum_concurrency = 20 }, var.processor)
  logs      = merge({ retention_days = 90 }, var.logs)
  table     = merge({ deletion_protection = true, point_in_time_recovery = true }, var.table)
  jobs      = merge({ retention_days = 90 }, var.jobs)
  api       = merge({ throttling_rate_limit = 200, throttling_burst_limit = 400 }, var.api)

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
  bucket            = var.bucket
  budget            = var.budget
  default_model_id  = var.default_model_id
  model_prices      = var.model_prices
  builtin_job_types = var.builtin_job_types
  job_types         = var.job_types
}
