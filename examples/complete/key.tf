# One key for everything at rest: queues, table, bucket, logs, the alarms' topics, and the platform's own bus and queue.
#
# SQS, DynamoDB, and S3 use a key in the name of whoever calls them: that is a function's role, which gets the permission from the
# module, or a person's. Services that act on their own get it only from the key's policy, and where a service is missing there,
# what it should deliver is dropped without an error.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # Built from names, because the key must exist before anything that it encrypts.
  arns = {
    account    = "arn:${local.partition}:iam::${local.account_id}:root"
    alarms     = "arn:${local.partition}:cloudwatch:${var.region}:${local.account_id}:alarm:${local.name}-ai-job-*"
    event_bus  = "arn:${local.partition}:events:${var.region}:${local.account_id}:event-bus/${local.event_bus_name}"
    log_groups = "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:/aws/*/${local.name}-ai-job*"
    notices    = "arn:${local.partition}:sqs:${var.region}:${local.account_id}:${local.notices_name}"
  }
}

resource "aws_kms_key" "ai_jobs" {
  description             = "Everything that the AI jobs of ${local.environment} store."
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # IAM policies of this account decide. Without this statement, none of them could grant the key, not even to its administrators.
        Sid       = "IamPolicies"
        Effect    = "Allow"
        Principal = { AWS = local.arns.account }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = local.arns.log_groups } }
      },
      {
        # An alarm publishes to an encrypted topic.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
        Resource  = "*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account_id }
          ArnLike      = { "aws:SourceArn" = local.arns.alarms }
        }
      },
      {
        # The bus keeps events encrypted until they are delivered.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmkey.html
        Sid       = "EventBus"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:EncryptionContext:aws:events:event-bus:arn" = local.arns.event_bus } }
      },
      {
        # A call of its own, which has no encryption context.
        Sid       = "EventBusFindsKey"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "kms:DescribeKey"
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        # A rule and a topic send to the queue of notices. The queue's own policy says which rule and which topic: AWS does not support
        # aws:SourceArn in a key's policy for everything that EventBridge delivers.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services
        Sid       = "SendToNotices"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "sns.amazonaws.com"] }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:EncryptionContext:aws:sqs:arn" = local.arns.notices } }
      },
    ]
  })
}

resource "aws_kms_alias" "ai_jobs" {
  name          = "alias/${local.name}-ai-jobs-${local.environment}"
  target_key_id = aws_kms_key.ai_jobs.key_id
}
