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
  description = "How long a received message stays hidden. At least the timeout of the function that consumes the queue."
  type        = number
  nullable    = false
}

variable "message_retention_seconds" {
  description = "How long the queue keeps a message."
  type        = number
  default     = 1209600
  nullable    = false
}

variable "dlq_message_retention_seconds" {
  description = "How long the dead-letter queue keeps a message, counted from the day it first entered the queue."
  type        = number
  default     = 1209600
  nullable    = false
}

variable "receive_wait_time_seconds" {
  description = "Long polling: how long a receive waits for a message."
  type        = number
  default     = 20
  nullable    = false
}

variable "max_receive_count" {
  description = "Receives after which SQS moves a message to the dead-letter queue."
  type        = number
  default     = 3
  nullable    = false
}

variable "require_tls" {
  description = "Deny every call over plain HTTP by queue policy."
  type        = bool
  default     = true
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
