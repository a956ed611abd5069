module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = "staging"
  tags        = var.tags

  packages = var.packages

  # As production, smaller: what fails there should fail here first.
  processor = merge({ maximum_concurrency = 5 }, var.processor)
  logs      = merge({ retention_days = 14 }, var.logs)
  jobs      = merge({ retention_days = 14 }, var.jobs)
  api       = merge({ throttling_rate_limit = 50, throttling_burst_limit = 100 }, var.api)

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
  table             = var.table
  bucket            = var.bucket
  budget            = var.budget
  default_model_id  = var.default_model_id
  model_prices      = var.model_prices
  builtin_job_types = var.builtin_job_types
  job_types         = var.job_types
}
