locals {
  event_bus_arn = coalesce(
    try(var.events.event_bus.arn, null),
    "arn:${local.partition}:events:${local.region}:${local.account_id}:event-bus/default",
  )

  # Ten calls of a few milliseconds each; a call that fails after its timeouts (8 s) ends the run.
  event_publisher_timeout_seconds = 60

  # Other changes to the table (claims, releases, counters, deletes) do not start the function. It checks for itself too, because a
  # filter can't compare the row with what it was before.
  ended_jobs = jsonencode({
    eventName = ["INSERT", "MODIFY"]
    dynamodb = {
      NewImage = {
        status = { S = local.contract.states.terminal }
        # The row of an erased user has none.
        completedAt = { S = [{ exists = true }] }
      }
    }
  })
}

module "event_publisher" {
  source = "../function"
  count  = var.events.enabled ? 1 : 0

  name        = local.names.event_publisher
  description = "Publishes an event for every AI job that ended, from the stream of the jobs table."
  handler     = "event_publisher.handler.handler"
  package     = module.packages.zips["event_publisher"]

  timeout_seconds = local.event_publisher_timeout_seconds
  # A batch with results takes up to 6 MB, and is in memory several times over.
  memory_mb = 512

  computed_environment_variables = { AI_JOB_TABLE_ARN = module.store.arn }
  environment_variables = {
    POWERTOOLS_SERVICE_NAME      = "ai-job-event-publisher"
    POWERTOOLS_LOG_LEVEL         = var.logs.level
    AI_JOB_EVENT_BUS_ARN         = local.event_bus_arn
    AI_JOB_EVENTS_INCLUDE_RESULT = tostring(var.events.include_result)
  }

  statements = concat(
    [{
      sid        = "PublishEvents"
      actions    = ["events:PutEvents"]
      resources  = [local.event_bus_arn]
      conditions = {}
    }],
    local.key_statements,
  )

  stream_trigger = {
    stream_arn = module.store.stream_arn
    batch_size = 100
    # Consumers want events soon, and ten of them fit into one call.
    batching_window_seconds = 1
    parallelization_factor  = var.events.parallelization_factor
    filter_patterns         = [local.ended_jobs]
    failure_queue = {
      name                      = local.names.events_dlq
      message_retention_seconds = local.retention_range.max
      receive_wait_time_seconds = local.queue_ranges.receive_wait_time_seconds.max
      require_tls               = var.require_tls
      kms_key_arn               = var.kms_key_arn
    }
  }

  vpc = var.vpc

  role_name                = local.names.event_publisher_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  log_retention_days       = var.logs.retention_days
  kms_key_arn              = var.kms_key_arn
  tags                     = local.tags
}
