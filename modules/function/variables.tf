variable "name" {
  description = "Name of the function."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the function does, for the console."
  type        = string
  nullable    = false
}

variable "handler" {
  description = "Entry point, e.g. processor.handler.handler."
  type        = string
  nullable    = false
}

variable "package" {
  description = <<-EOT
    The zip: either a local path, or an object in S3, in the region of the function, with the SHA-256 that its bytes must have, in hex
    and in base64.
  EOT
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket       = string
      key          = string
      sha256       = string
      base64sha256 = string
    }))
  })
  nullable = false

  validation {
    condition     = (var.package.path == null) != (var.package.s3 == null)
    error_message = "package has ${var.package.path == null ? "neither path nor s3" : "both path (${var.package.path}) and s3"}. Set exactly one of them."
  }
}

variable "layers" {
  description = "Versions of the layers with further code, by ARN; at most five."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "environment_variables" {
  description = "Environment variables whose values are known before the apply."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "computed_environment_variables" {
  description = "Environment variables whose values only AWS knows, such as URLs and ids. When the plan checks that all variables fit into Lambda's 4096 bytes, it counts each of these values as 140 bytes, the longest possible URL of a queue."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "statements" {
  description = <<-EOT
    What the function's role may do, besides writing its own logs and traces. The plan checks that all statements fit into IAM's 10240
    characters: it counts each resource as 160 characters, or by its length where resources_known says that the ARNs are known
    before the apply. It counts the values of conditions by their length, or as 160 characters where conditions_known = false.
  EOT
  type = list(object({
    sid              = string
    actions          = list(string)
    resources        = list(string)
    conditions       = optional(map(map(list(string))), {})
    resources_known  = optional(bool, false)
    conditions_known = optional(bool, true)
  }))
  default  = []
  nullable = false
}

variable "timeout_seconds" {
  description = "Timeout of the function."
  type        = number
  nullable    = false
}

variable "memory_mb" {
  description = "Memory of the function."
  type        = number
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Reserved concurrency; null reserves nothing (new accounts can't reserve any)."
  type        = number
  default     = null
}

variable "queue_trigger" {
  description = "The queue that triggers the function; null means none. enabled = false pauses it."
  type = object({
    queue_arn               = string
    batch_size              = number
    batching_window_seconds = number
    maximum_concurrency     = number
    enabled                 = bool
  })
  default = null
}

variable "stream_trigger" {
  description = <<-EOT
    The DynamoDB stream that triggers the function; null means none. A record must match one of filter_patterns (JSON). Records that
    can't be processed end up in failure_queue, whose URL the function finds in AI_JOB_FAILURE_QUEUE_URL.
  EOT
  type = object({
    stream_arn              = string
    batch_size              = number
    batching_window_seconds = number
    parallelization_factor  = optional(number, 1)
    filter_patterns         = list(string)
    failure_queue = object({
      name                      = string
      message_retention_seconds = number
      receive_wait_time_seconds = number
      require_tls               = bool
      kms_key_arn               = optional(string)
    })
  })
  default = null
}

variable "schedule" {
  description = "When EventBridge Scheduler runs the function, e.g. rate(5 minutes); null means never. enabled = false pauses it."
  type = object({
    name       = string
    expression = string
    role_name  = string
    enabled    = bool
  })
  default = null
}

variable "sends_to_own_queue" {
  description = "The function sends messages back to the queue that triggers it, deliberately and not indefinitely."
  type        = bool
  default     = false
  nullable    = false
}

variable "trigger_after" {
  description = "Values of resources that must exist before the queue trigger is created."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "vpc" {
  description = "The VPC that the function runs in; null means none. In a VPC, the function reaches only what its subnets have routes to."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "role_name" {
  description = "Name of the function's role. IAM names are global: include the region."
  type        = string
  nullable    = false
}

variable "role_path" {
  description = "IAM path of the function's role and of the schedule's role."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the function's role and of the schedule's role; null means none."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long the function's log is kept."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key of the function's log and environment variables; null means AWS's own keys. The function's statements must allow kms:Decrypt on it."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that the module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}
