module "request_queue" {
  source = "../queue"

  name     = local.names.request_queue
  dlq_name = local.names.request_dlq

  visibility_timeout_seconds    = var.request_queue.visibility_timeout_seconds
  message_retention_seconds     = var.request_queue.message_retention_seconds
  dlq_message_retention_seconds = var.request_queue.dlq_message_retention_seconds
  receive_wait_time_seconds     = var.request_queue.receive_wait_time_seconds
  max_receive_count             = var.request_queue.max_receive_count

  require_tls = var.require_tls
  kms_key_arn = var.kms_key_arn
  tags        = local.tags
}

module "response_queue" {
  source = "../queue"

  name     = local.names.response_queue
  dlq_name = local.names.response_dlq

  visibility_timeout_seconds    = var.response_queue.visibility_timeout_seconds
  message_retention_seconds     = var.response_queue.message_retention_seconds
  dlq_message_retention_seconds = var.response_queue.dlq_message_retention_seconds
  receive_wait_time_seconds     = var.response_queue.receive_wait_time_seconds
  max_receive_count             = var.response_queue.max_receive_count

  require_tls = var.require_tls
  kms_key_arn = var.kms_key_arn
  tags        = local.tags
}
