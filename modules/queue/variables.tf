variable "name" {
  description = "Name of the queue."
  type        = string
  nullable    = false
}

variable "dlq_name" {
  description = "Name of its dead-letter queue."
  type        = string
  nullable    = false
}

variable "visibility_timeout_seconds" {
  description = "How long a received message stays hidden: at least the timeout of the function that consumes the queue."
  type        = number
  nullable    = false
}

variable "message_retention_seconds" {
  description = "How long the queue keeps a message."
  type        = number
  nullable    = false
}

variable "dlq_message_retention_seconds" {
  description = "How long the dead-letter queue keeps a message, counted from when the message first entered the queue."
  type        = number
  nullable    = false
}

variable "receive_wait_time_seconds" {
  description = "How long a receive waits for a message (long polling)."
  type        = number
  nullable    = false
}

variable "max_receive_count" {
  description = "Number of receives after which SQS moves a message to the dead-letter queue."
  type        = number
  nullable    = false
}

variable "require_tls" {
  description = "Deny every call over plain HTTP with a queue policy."
  type        = bool
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key for both queues; null means SSE-SQS."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of both queues."
  type        = map(string)
  default     = {}
  nullable    = false
}
