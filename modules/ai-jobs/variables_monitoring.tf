variable "alarms" {
  description = "Who is notified, and when."
  type = object({
    # Topics that get every state change of an alarm; without any, it is a topic of the module's own.
    topic_arns = optional(list(string), [])
    # Topics that get the composite alarm `service-unhealthy`, which stands for an outage as a whole; without any, it is a second topic
    # of the module's own. Connect your pager there.
    page_topic_arns = optional(list(string), [])
    # Encrypts the module's own topics; the key's policy must allow cloudwatch.amazonaws.com to use it.
    topic_kms_key_arn = optional(string)
    # Subscribed to the module's own topic for every state change.
    email_addresses = optional(set(string), [])
    # Subscribed to the module's own topic for the composite alarm.
    page_email_addresses = optional(set(string), [])
    # Where the alarms' descriptions point: the page with a section for each alarm.
    runbook_url = optional(string, "docs/runbooks.md")
    # When the alarms fire (docs/runbooks.md).
    thresholds = optional(object({
      # More jobs than this wait in the request queue.
      request_queue_depth = optional(number, 1000)
      # The oldest message of a queue is older.
      oldest_message_age_seconds = optional(number, 300)
      # Fewer jobs end although there is work.
      processing_rate_jobs_per_minute = optional(number, 0.2)
      # More jobs than this wait as delayed copies.
      waiting_jobs = optional(number, 10)
      # A larger share of the jobs that ended failed, and at least `failed_jobs_minimum`.
      failed_jobs_percent = optional(number, 20)
      # The number of failed jobs below which their share means nothing.
      failed_jobs_minimum = optional(number, 5)
      # A job that a worker has started has been open for longer.
      oldest_open_job_seconds = optional(number, 3600)
      # More invocations of a function failed.
      function_errors = optional(number, 0)
      # A function takes a larger share of its timeout.
      duration_percent = optional(number, 90)
      # A function uses a larger share of its concurrency limit.
      concurrency_percent = optional(number, 90)
      # A larger share of the requests ends in a 5xx.
      api_error_percent = optional(number, 5)
      # One request in a hundred takes longer.
      api_latency_ms = optional(number, 3000)
      # DynamoDB throttles more requests.
      table_throttles = optional(number, 0)
      # Events are published later.
      event_delay_seconds = optional(number, 600)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, limit in local.threshold_limits : var.alarms.thresholds[name] >= limit.min && var.alarms.thresholds[name] <= coalesce(limit.max, var.alarms.thresholds[name]) && (limit.zero || var.alarms.thresholds[name] != 0)])
    error_message = join("\n", [for name, limit in local.threshold_limits : "alarms.thresholds.${name} is ${var.alarms.thresholds[name]}. ${limit.rule}" if !(var.alarms.thresholds[name] >= limit.min && var.alarms.thresholds[name] <= coalesce(limit.max, var.alarms.thresholds[name]) && (limit.zero || var.alarms.thresholds[name] != 0))])
  }

  validation {
    condition     = alltrue([for arn in concat(var.alarms.topic_arns, var.alarms.page_topic_arns) : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "alarms has the topics ${join(", ", concat(var.alarms.topic_arns, var.alarms.page_topic_arns))}. Use ARNs of standard SNS topics (arn:aws:sns:<region>:<account>:<name>); CloudWatch does not notify FIFO topics."
  }

  validation {
    condition     = alltrue([for kind in ["", "page_"] : length(var.alarms["${kind}email_addresses"]) == 0 || length(var.alarms["${kind}topic_arns"]) == 0])
    error_message = join("\n", [for kind in ["", "page_"] : "alarms.${kind}email_addresses would be subscribed to the module's own topic, but ${kind}topic_arns names ${join(", ", var.alarms["${kind}topic_arns"])} instead. Subscribe ${join(", ", var.alarms["${kind}email_addresses"])} there, or omit one of the two." if length(var.alarms["${kind}email_addresses"]) > 0 && length(var.alarms["${kind}topic_arns"]) > 0])
  }

  validation {
    condition     = alltrue([for address in setunion(var.alarms.email_addresses, var.alarms.page_email_addresses) : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alarms has the email addresses ${join(", ", setunion(var.alarms.email_addresses, var.alarms.page_email_addresses))}. Each must have the form name@example.com."
  }

  validation {
    condition     = var.alarms.topic_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.alarms.topic_kms_key_arn))
    error_message = "alarms.topic_kms_key_arn is \"${coalesce(var.alarms.topic_kms_key_arn, "-")}\". Use the ARN of a customer key (arn:aws:kms:<region>:<account>:key/<id>) that allows cloudwatch.amazonaws.com to use it; with alias/aws/sns the alarms would be silent."
  }
}

variable "logs" {
  description = "The logs of the functions and of the API."
  type = object({
    # `DEBUG`, `INFO`, `WARNING`, `ERROR`, or `CRITICAL`: of the functions' logs.
    level = optional(string, "INFO")
    # How long all logs are kept.
    retention_days = optional(number, 30)
    # Whether to save queries for Logs Insights: by job, by user, slowest jobs, failures by code.
    saved_queries = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.logs.level)
    error_message = "logs.level is \"${var.logs.level}\". Use DEBUG, INFO, WARNING, ERROR, or CRITICAL."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.logs.retention_days)
    error_message = "logs.retention_days is ${var.logs.retention_days}. CloudWatch Logs accepts 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, or 3653 days."
  }
}

# --- API, events, table, bucket ---
