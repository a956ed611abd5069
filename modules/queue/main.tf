data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # The redrive-allow side needs the ARN of the queue that names the DLQ, and that queue needs the
  # DLQ's ARN: building the ARNs from the names is what breaks the cycle.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
  queue_arn  = "${local.arn_prefix}:${var.name}"
  dlq_arn    = "${local.arn_prefix}:${var.dlq_name}"

  tls_only_policies = {
    for arn in [local.queue_arn, local.dlq_arn] : arn => var.require_tls ? jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }) : null
  }

  # 256 KiB, attributes included. SQS can do 1 MiB, but provider 5.100 does not know that value;
  # set explicitly because queues may be created with either default.
  max_message_size = 262144
}

# Policy, redrive and redrive-allow are inline on purpose: as resources of their own each costs the
# provider another wait of about 25 seconds.
resource "aws_sqs_queue" "this" {
  name = var.name

  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = var.message_retention_seconds
  receive_wait_time_seconds  = var.receive_wait_time_seconds
  max_message_size           = local.max_message_size

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300

  policy = local.tls_only_policies[local.queue_arn]

  # SQS refuses a redrive policy whose DLQ does not exist yet: this reference orders the two.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dlq.arn
    maxReceiveCount     = var.max_receive_count
  })

  tags = var.tags
}

resource "aws_sqs_queue" "dlq" {
  name = var.dlq_name

  message_retention_seconds = var.dlq_message_retention_seconds
  receive_wait_time_seconds = var.receive_wait_time_seconds
  max_message_size          = local.max_message_size

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300

  policy = local.tls_only_policies[local.dlq_arn]

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })

  tags = var.tags
}
