variable "name_prefix" {
  description = "What stands before an alarm's key in its name, e.g. acme-ai-job-."
  type        = string
  nullable    = false
}

variable "name_suffix" {
  description = "What stands after an alarm's key in its name, e.g. -production."
  type        = string
  nullable    = false
}

variable "runbook_url" {
  description = "Page of the runbooks, whose sections are named after the alarms' keys."
  type        = string
  default     = "docs/runbooks.md"
  nullable    = false
}

variable "topic_names" {
  description = "Names of the module's own topics: alarms for every change of an alarm, pages for the composite alarm."
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
  description = "Customer KMS key of the module's own topics, whose policy must let cloudwatch.amazonaws.com use it; null means none."
  type        = string
  default     = null
}

variable "email_addresses" {
  description = "Who gets every change of an alarm by e-mail."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.email_addresses) == 0 || length(var.topic_arns) == 0
    error_message = "email_addresses are subscribed to the module's own topic, but topic_arns names ${join(", ", var.topic_arns)} instead: subscribe them there, or leave out one of the two."
  }
}

variable "page_email_addresses" {
  description = "Who gets the pages by e-mail."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.page_email_addresses) == 0 || length(var.page_topic_arns) == 0
    error_message = "page_email_addresses are subscribed to the module's own topic, but page_topic_arns names ${join(", ", var.page_topic_arns)} instead: subscribe them there, or leave out one of the two."
  }
}

variable "queues" {
  description = "The two main queues: name, and what it means for the reader of an alarm when their messages grow old."
  type = object({
    request  = object({ name = string, meaning = string })
    response = object({ name = string, meaning = string })
  })
  nullable = false
}

variable "dead_letter_queues" {
  description = "Dead-letter queues to watch: the queue's name, and what a message in it means for the reader of the alarm."
  type = map(object({
    queue_name = string
    meaning    = string
  }))
  nullable = false
}

variable "functions" {
  description = "Functions to watch, by the first part of their alarms' keys; reconciler must be one of them. concurrency_limit null means that they have none of their own, reads_stream that a stream triggers them."
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
  description = "Whether the reconciler is meant to run."
  type        = bool
  default     = true
  nullable    = false
}

variable "reconciler_interval_minutes" {
  description = "How often the reconciler measures."
  type        = number
  default     = 5
  nullable    = false
}

variable "thresholds" {
  description = "When the alarms fire; modules/ai-jobs says what each means."
  type = object({
    request_queue_depth             = optional(number, 1000)
    oldest_message_age_seconds      = optional(number, 300)
    processing_rate_jobs_per_minute = optional(number, 0.2)
    waiting_jobs                    = optional(number, 10)
    failed_jobs_percent             = optional(number, 20)
    failed_jobs_minimum             = optional(number, 5)
    oldest_open_job_seconds         = optional(number, 3600)
    function_errors                 = optional(number, 0)
    duration_percent                = optional(number, 90)
    concurrency_percent             = optional(number, 90)
    api_error_percent               = optional(number, 5)
    api_latency_ms                  = optional(number, 3000)
    table_throttles                 = optional(number, 0)
    event_delay_seconds             = optional(number, 600)
  })
  default  = {}
  nullable = false
}

variable "tags" {
  description = "Tags of the topics and the alarms."
  type        = map(string)
  default     = {}
  nullable    = false
}
