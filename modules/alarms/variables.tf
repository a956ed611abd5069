variable "name_prefix" {
  description = "What precedes an alarm's key in its name, e.g. acme-ai-job-."
  type        = string
  nullable    = false
}

variable "name_suffix" {
  description = "What follows an alarm's key in its name, e.g. -production."
  type        = string
  nullable    = false
}

variable "runbook_url" {
  description = "Page with the runbooks, whose sections are named after the alarms' keys."
  type        = string
  nullable    = false
}

variable "topic_names" {
  description = "Names of the module's own topics: alarms for every state change of an alarm, pages for the composite alarm."
  type = object({
    alarms = string
    pages  = string
  })
  nullable = false
}

variable "topic_arns" {
  description = "Topics that the alarms notify instead of the module's own."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "page_topic_arns" {
  description = "Topics that the composite alarm notifies instead of the module's own."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "topic_kms_key_arn" {
  description = "Customer KMS key for the module's own topics, whose policy must allow cloudwatch.amazonaws.com to use it; null means none."
  type        = string
  default     = null
}

variable "email_addresses" {
  description = "Who gets every state change of an alarm by email."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.email_addresses) == 0 || length(var.topic_arns) == 0
    error_message = "email_addresses would be subscribed to the module's own topic, but topic_arns names ${join(", ", var.topic_arns)} instead. Subscribe the addresses there, or omit one of the two."
  }
}

variable "page_email_addresses" {
  description = "Who gets the pages by email."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.page_email_addresses) == 0 || length(var.page_topic_arns) == 0
    error_message = "page_email_addresses would be subscribed to the module's own topic, but page_topic_arns names ${join(", ", var.page_topic_arns)} instead. Subscribe the addresses there, or omit one of the two."
  }
}

variable "queues" {
  description = "The two main queues: their names, and what old messages in them mean, for the reader of an alarm."
  type = object({
    request  = object({ name = string, meaning = string })
    response = object({ name = string, meaning = string })
  })
  nullable = false
}

variable "dead_letter_queues" {
  description = "Dead-letter queues to watch: their names, and what a message in them means, for the reader of an alarm."
  type = map(object({
    queue_name = string
    meaning    = string
  }))
  nullable = false
}

variable "functions" {
  description = "Functions to watch, by the prefix of their alarms' keys; reconciler must be one of them. concurrency_limit = null means that a function has no limit of its own, and reads_stream that a stream triggers it."
  type = map(object({
    name              = string
    timeout_seconds   = number
    errors_mean       = string
    concurrency_limit = optional(number)
    reads_stream      = optional(bool, false)
  }))
  nullable = false
}

variable "api" {
  description = "The REST API to watch."
  type = object({
    name       = string
    stage_name = string
  })
  nullable = false
}

variable "table_name" {
  description = "The DynamoDB table to watch."
  type        = string
  nullable    = false
}

variable "metrics_namespace" {
  description = "Namespace of the functions' own metrics."
  type        = string
  nullable    = false
}

variable "reconciler_enabled" {
  description = "Whether the reconciler is supposed to run."
  type        = bool
  nullable    = false
}

variable "reconciler_interval_minutes" {
  description = "How often the reconciler measures."
  type        = number
  nullable    = false
}

variable "thresholds" {
  description = "When the alarms fire."
  type = object({
    request_queue_depth             = number
    oldest_message_age_seconds      = number
    processing_rate_jobs_per_minute = number
    waiting_jobs                    = number
    failed_jobs_percent             = number
    failed_jobs_minimum             = number
    oldest_open_job_seconds         = number
    function_errors                 = number
    duration_percent                = number
    concurrency_percent             = number
    api_error_percent               = number
    api_latency_ms                  = number
    table_throttles                 = number
    event_delay_seconds             = number
  })
  nullable = false
}

variable "tags" {
  description = "Tags of the topics and the alarms."
  type        = map(string)
  default     = {}
  nullable    = false
}
