variable "name" {
  description = "Name of the dashboard, and prefix of the saved queries' names."
  type        = string
  nullable    = false
}

variable "metrics_namespace" {
  description = "Namespace of the functions' own metrics."
  type        = string
  nullable    = false
}

variable "job_types" {
  description = "Names of the job types that the functions' metrics distinguish."
  type        = list(string)
  nullable    = false
}

variable "queues" {
  description = "Names of the four queues by their title."
  type = object({
    request      = string
    request_dlq  = string
    response     = string
    response_dlq = string
  })
  nullable = false
}

variable "functions" {
  description = "The functions to show, in this order: title and name."
  type = list(object({
    title = string
    name  = string
  }))
  nullable = false
}

variable "processor_name" {
  description = "Name of the function that works on the jobs."
  type        = string
  nullable    = false
}

variable "concurrency_limit" {
  description = "Maximum number of concurrent processors."
  type        = number
  nullable    = false
}

variable "api" {
  description = "The REST API."
  type = object({
    name       = string
    stage_name = string
  })
  nullable = false
}

variable "events" {
  description = "The function that publishes events, and its on-failure queue; null if events are off."
  type = object({
    function_name = string
    queue_name    = string
  })
  default = null
}

variable "table_name" {
  description = "The jobs table."
  type        = string
  nullable    = false
}

variable "age_limits" {
  description = "How old a message of the main queues, and a job that a worker has begun, may become before an alarm fires."
  type = object({
    oldest_message_seconds  = number
    oldest_open_job_seconds = number
  })
  nullable = false
}

variable "paging_alarm_arns" {
  description = "ARNs of the alarms that page, the composite one first."
  type        = list(string)
  nullable    = false
}

variable "alarm_arns" {
  description = "ARNs of the alarms to show, most important first."
  type        = list(string)
  nullable    = false
}

variable "saved_queries" {
  description = "Save queries for Logs Insights over log_group_names."
  type        = bool
  nullable    = false
}

variable "log_group_names" {
  description = "Log groups by function; processor must be one of the functions."
  type        = map(string)
  nullable    = false
}
