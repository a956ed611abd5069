locals {
  request_dlq_meaning  = "jobs that were given up. Each carries its reason, or was received too often; redrive it once the cause is gone."
  response_dlq_meaning = "results that could not be written to the jobs table. Redrive them once the cause is gone."
  events_dlq_meaning   = "job events that EventBridge never received. Publish them again once the cause is gone."

  event_functions = {
    for publisher in module.event_publisher : "event-publisher" => {
      name              = publisher.name
      timeout_seconds   = local.event_publisher_timeout_seconds
      concurrency_limit = null
      errors_mean       = "Lambda retries its events, in order, for 23 hours."
      reads_stream      = true
    }
  }
}

module "alarms" {
  source = "../alarms"

  name_prefix = "${var.name}-ai-job-"
  name_suffix = "-${var.environment}"
  runbook_url = var.alarms.runbook_url

  topic_names          = { alarms = local.names.alarm_topic, pages = local.names.page_topic }
  topic_arns           = var.alarms.topic_arns
  page_topic_arns      = var.alarms.page_topic_arns
  topic_kms_key_arn    = var.alarms.topic_kms_key_arn
  email_addresses      = var.alarms.email_addresses
  page_email_addresses = var.alarms.page_email_addresses

  queues = {
    request = {
      name    = module.request_queue.name
      meaning = "the worker stands still, or can't keep up with the incoming jobs (a long model call counts too)."
    }
    response = {
      name    = module.response_queue.name
      meaning = "results are not written to the table, so callers see their jobs as unfinished."
    }
  }

  dead_letter_queues = merge(
    {
      request  = { queue_name = module.request_queue.dlq_name, meaning = local.request_dlq_meaning }
      response = { queue_name = module.response_queue.dlq_name, meaning = local.response_dlq_meaning }
    },
    { for publisher in module.event_publisher : "events" => { queue_name = publisher.failure_queue_name, meaning = local.events_dlq_meaning } },
  )

  functions = merge(local.event_functions, {
    processor = {
      name              = module.processor.name
      timeout_seconds   = var.processor.timeout_seconds
      concurrency_limit = var.processor.maximum_concurrency
      errors_mean       = "Its jobs return to the queue and are retried."
    }
    result-handler = {
      name              = module.result_handler.name
      timeout_seconds   = var.result_handler.timeout_seconds
      concurrency_limit = var.result_handler.maximum_concurrency
      errors_mean       = "Its results return to the queue and are retried."
    }
    jobs-api = {
      name              = module.jobs_api.name
      timeout_seconds   = var.jobs_api.timeout_seconds
      concurrency_limit = var.jobs_api.reserved_concurrency
      errors_mean       = "Callers of GET get a 5xx."
    }
    reconciler = {
      name              = module.reconciler.name
      timeout_seconds   = var.reconciler.timeout_seconds
      concurrency_limit = null
      errors_mean       = "Jobs that nobody works on anymore stay open until it works again."
    }
  })

  api                         = { name = module.api.name, stage_name = module.api.stage_name }
  table_name                  = module.store.name
  metrics_namespace           = local.metrics_namespace
  reconciler_enabled          = var.reconciler.enabled
  reconciler_interval_minutes = var.reconciler.interval_minutes

  thresholds = var.alarms.thresholds
  tags       = local.tags
}
