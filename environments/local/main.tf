module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = var.environment
  tags        = var.tags

  packages = var.packages

  # What is local can be thrown away, and rebuilt from nothing.
  table  = merge({ deletion_protection = false, point_in_time_recovery = false }, var.table)
  bucket = merge({ force_destroy = true }, var.bucket)

  # Jobs are worked on as they come: nobody waits for a batch on one machine.
  processor = merge({ batching_window_seconds = 0, layers = values(aws_lambda_layer_version.handlers)[*].arn }, var.processor)

  # As short as AppConfig allows: `make local-up` says "up" once no worker holds the types of before.
  jobs = merge({ config_max_age_seconds = 15 }, var.jobs)

  logs = merge({ retention_days = 1 }, var.logs)

  iam               = var.iam
  vpc               = var.vpc
  kms_key_arn       = var.kms_key_arn
  request_queue     = var.request_queue
  response_queue    = var.response_queue
  result_handler    = var.result_handler
  jobs_api          = var.jobs_api
  reconciler        = var.reconciler
  alarms            = var.alarms
  api               = var.api
  events            = var.events
  budget            = var.budget
  default_model_id  = var.default_model_id
  model_prices      = var.model_prices
  builtin_job_types = var.builtin_job_types
  job_types         = var.job_types
}
