data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  contract = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))

  # The redrive-allow policy needs the ARN of the queue that names the DLQ, and that queue needs the DLQ's ARN. Building the ARNs
  # from the names breaks the cycle.
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

  # 256 KiB, attributes included. SQS allows 1 MiB, but provider 5.100 does not know that value. Set explicitly, because queues may
  # be created with either default.
  max_message_size = local.contract.limits.message_bytes.max
}

# The policy, redrive, and redrive-allow are inline on purpose: as a separate resource, each would make the provider wait about 25
# seconds longer.
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

  # SQS rejects a redrive policy whose DLQ does not exist yet; this reference orders the two.
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
