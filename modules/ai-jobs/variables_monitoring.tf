variable "alarms" {
  description = <<-EOT
    Who is notified, and when. Every state change of an alarm goes to topic_arns, or to a topic of the module's own. The composite alarm
    service-unhealthy, which stands for an outage as a whole, goes to page_topic_arns, or to a second topic of the module's own: connect
    your pager there. The email addresses are subscribed to the module's own topics. topic_kms_key_arn encrypts these; the key's policy
    must allow cloudwatch.amazonaws.com to use it. runbook_url is where the alarms' descriptions point.
  EOT
  type = object({
    topic_arns           = optional(list(string), [])
    page_topic_arns      = optional(list(string), [])
    topic_kms_key_arn    = optional(string)
    email_addresses      = optional(set(string), [])
    page_email_addresses = optional(set(string), [])
    runbook_url          = optional(string, "docs/runbooks.md")
    thresholds = optional(object({
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
  description = "Level of the functions' logs, how long all logs are kept, and whether to save queries for Logs Insights (by job, by user, slowest jobs, failures by code)."
  type = object({
    level          = optional(string, "INFO")
    retention_days = optional(number, 30)
    saved_queries  = optional(bool, true)
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
