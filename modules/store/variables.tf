variable "name" {
  description = "Name of the table."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Prevent the table from being deleted, including by terraform destroy."
  type        = bool
  nullable    = false
}

variable "point_in_time_recovery" {
  description = "Keep 35 days of continuous backups."
  type        = bool
  nullable    = false
}

variable "stream_enabled" {
  description = "Keep a stream of the table's changes for 24 hours."
  type        = bool
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key for the table; null means the AWS managed key."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the table."
  type        = map(string)
  default     = {}
  nullable    = false
}
