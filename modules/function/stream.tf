# A DynamoDB stream as trigger. Records arrive in order, and one that fails blocks those behind it. That way nothing is lost, but a
# record that never succeeds must eventually get out of the way.

locals {
  stream_variables = var.stream_trigger == null ? {} : { AI_JOB_FAILURE_QUEUE_URL = aws_sqs_queue.failures[0].url }

  stream_statements = var.stream_trigger == null ? [] : [
    {
      sid              = "ReadStream"
      actions          = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
      resources        = [var.stream_trigger.stream_arn]
      conditions       = {}
      resources_known  = false
      conditions_known = true
    },
    {
      sid     = "FindStream"
      actions = ["dynamodb:ListStreams"]
      # Does not support resource-level permissions: with the stream's ARN, it is denied.
      resources        = ["*"]
      conditions       = {}
      resources_known  = true
      conditions_known = true
    },
    {
      sid = "GiveUpRecords"
      # Lambda also uses the role to send the records that it gives up by itself.
      actions          = ["sqs:SendMessage"]
      resources        = [aws_sqs_queue.failures[0].arn]
      conditions       = {}
      resources_known  = false
      conditions_known = true
    },
  ]

  # Built from names, because a policy that referred to its own queue would create a cycle.
  failure_queue_arn = try("arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:${var.stream_trigger.failure_queue.name}", null)
}

data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_lambda_event_source_mapping" "stream" {
  count = var.stream_trigger == null ? 0 : 1

  event_source_arn = var.stream_trigger.stream_arn
  function_name    = aws_lambda_alias.live.arn

  # Includes what was written between the table's creation and the first poll.
  starting_position = "TRIM_HORIZON"

  batch_size                         = var.stream_trigger.batch_size
  maximum_batching_window_in_seconds = var.stream_trigger.batching_window_seconds
  # Records with the same key stay in order: Lambda never works on two batches with one key at once.
  parallelization_factor         = var.stream_trigger.parallelization_factor
  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = true

  # Retries until the record is too old. The stream silently drops a record after 24 hours; an hour before that, the record goes to
  # the on-failure queue.
  maximum_retry_attempts        = -1
  maximum_record_age_in_seconds = 82800

  filter_criteria {
    dynamic "filter" {
      for_each = var.stream_trigger.filter_patterns

      content {
        pattern = filter.value
      }
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failures[0].arn
    }
  }

  tags = var.tags

  # Lambda rejects the mapping until the permissions are in effect.
  depends_on = [aws_iam_role_policy.this]
}

# Nothing is redriven from here: the stream is not a queue that a message could return to.
resource "aws_sqs_queue" "failures" {
  count = var.stream_trigger == null ? 0 : 1

  name = var.stream_trigger.failure_queue.name

  message_retention_seconds = var.stream_trigger.failure_queue.message_retention_seconds
  receive_wait_time_seconds = var.stream_trigger.failure_queue.receive_wait_time_seconds
  # As in modules/queue.
  max_message_size = local.contract.limits.message_bytes.max

  sqs_managed_sse_enabled           = var.stream_trigger.failure_queue.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.stream_trigger.failure_queue.kms_key_arn
  kms_data_key_reuse_period_seconds = var.stream_trigger.failure_queue.kms_key_arn == null ? null : 300

  # Inline, as in modules/queue.
  policy = var.stream_trigger.failure_queue.require_tls ? jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.failure_queue_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  }) : null

  tags = var.tags
}
