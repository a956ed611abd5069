locals {
  event_bus_arn = coalesce(
    try(var.events.event_bus.arn, null),
    "arn:${local.partition}:events:${local.region}:${local.account_id}:event-bus/default",
  )

  # Ten calls of a few milliseconds; one that fails after its time-outs (8 s) ends the run.
  event_publisher_timeout_seconds = 60

  # What else happens to the table starts no function: claims, releases, counters, deletes. The function decides for itself
  # as well; a filter can't compare the row with what it was before.
  ended_jobs = jsonencode({
    eventName = ["INSERT", "MODIFY"]
    dynamodb = {
      NewImage = {
        status = { S = ["completed", "failed", "cancelled"] }
        # An erased user's row has none.
        completedAt = { S = [{ exists = true }] }
      }
    }
  })
}

module "event_publisher" {
  source = "../function"
  count  = var.events.enabled ? 1 : 0

  name        = local.names.event_publisher
  description = "Tells EventBridge of every AI job that ended, from the stream of the jobs table."
  handler     = "event_publisher.handler.handler"
  package     = local.packages["event_publisher"]

  timeout_seconds = local.event_publisher_timeout_seconds
  # A batch with results has up to 6 MB, and is there several times over.
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
    # Events are wanted soon, and ten of them fit into one call.
    batching_window_seconds = 1
    filter_patterns         = [local.ended_jobs]
    failure_queue = {
      name        = local.names.events_dlq
      require_tls = var.require_tls
      kms_key_arn = var.kms_key_arn
    }
  }

  vpc = var.vpc

  role_name                = local.names.event_publisher_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  log_retention_days       = var.logs.retention_days
  tags                     = local.tags
}
