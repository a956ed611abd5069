# The platform's own bus, which receives every job that ends, and a queue with what somebody should look at: jobs that failed, and
# alarms. A ticket system or a chat bot reads it. All of it is encrypted with the key.

locals {
  event_bus_name = "${local.name}-platform"
  notices_name   = "${local.name}-ai-job-notices-${local.environment}"
}

resource "aws_cloudwatch_event_bus" "platform" {
  name               = local.event_bus_name
  kms_key_identifier = aws_kms_key.ai_jobs.arn
}

resource "aws_cloudwatch_event_rule" "failed_jobs" {
  name           = "${local.name}-failed-ai-jobs-${local.environment}"
  description    = "AI jobs of ${local.environment} that failed."
  event_bus_name = aws_cloudwatch_event_bus.platform.name

  event_pattern = jsonencode({
    source      = ["ai-jobs"]
    detail-type = ["AI Job Failed"]
    resources   = [module.ai_jobs.table_arn] # those of this environment only
  })
}

resource "aws_cloudwatch_event_target" "failed_jobs" {
  rule           = aws_cloudwatch_event_rule.failed_jobs.name
  event_bus_name = aws_cloudwatch_event_bus.platform.name
  arn            = aws_sqs_queue.notices.arn
}

resource "aws_sqs_queue" "notices" {
  name                      = local.notices_name
  message_retention_seconds = 1209600
  kms_master_key_id         = aws_kms_key.ai_jobs.arn

  # Inline: with a policy of its own, the provider waits 25 seconds longer.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "FailedJobs"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.arns.notices
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.failed_jobs.arn } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.arns.notices
        Condition = { ArnEquals = { "aws:SourceArn" = module.ai_jobs.alarm_topic_arn } }
      },
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.arns.notices
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# alarm_topic_arn gets every change of every alarm.
resource "aws_sns_topic_subscription" "notices" {
  topic_arn = module.ai_jobs.alarm_topic_arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.notices.arn
}

# page_topic_arn is for the person on call: one message per outage. Without a subscription, it pages no one.
resource "aws_sns_topic_subscription" "on_call" {
  topic_arn = module.ai_jobs.page_topic_arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
