module "dashboard" {
  source = "../dashboard"

  name              = local.names.dashboard
  metrics_namespace = local.metrics_namespace
  job_types         = compact(split(",", local.metric_variables.AI_JOB_TYPES))

  queues = {
    request      = module.request_queue.name
    request_dlq  = module.request_queue.dlq_name
    response     = module.response_queue.name
    response_dlq = module.response_queue.dlq_name
  }

  functions = [
    { title = "processor", name = module.processor.name },
    { title = "result handler", name = module.result_handler.name },
    { title = "jobs API", name = module.jobs_api.name },
    { title = "reconciler", name = module.reconciler.name },
  ]

  processor_name    = module.processor.name
  concurrency_limit = var.processor.maximum_concurrency
  api               = { name = module.api.name, stage_name = module.api.stage_name }
  table_name        = module.store.name
  events            = one([for publisher in module.event_publisher : { function_name = publisher.name, queue_name = publisher.failure_queue_name }])
  paging_alarm_arns = module.alarms.paging_alarm_arns
  alarm_arns        = concat([module.alarms.service_alarm_arn], values(module.alarms.alarm_arns))

  age_limits = {
    oldest_message_seconds  = var.alarms.thresholds.oldest_message_age_seconds
    oldest_open_job_seconds = var.alarms.thresholds.oldest_open_job_seconds
  }

  saved_queries = var.logs.saved_queries
  log_group_names = merge({ for publisher in module.event_publisher : "event_publisher" => publisher.log_group_name }, {
    processor      = module.processor.log_group_name
    result_handler = module.result_handler.log_group_name
    jobs_api       = module.jobs_api.log_group_name
    reconciler     = module.reconciler.log_group_name
  })
}
