# The same in every environment: edit environments/development/variables.tf, then run `make docs`.

variable "region" {
  description = "AWS region of the environment."
  type        = string
  default     = "us-east-1"
  nullable    = false
}

variable "name" {
  description = "First part of every name."
  type        = string
  default     = "bayon-coagent"
  nullable    = false
}

variable "packages" {
  description = "Where the zips are: the directory of `make package`, or the bucket of `make publish` with the release's manifest."
  type        = any
  default     = { directory = "../../dist" }
  nullable    = false
}

# What follows is what modules/ai-jobs takes under the same names; its README says what it means. The module checks it and
# has the defaults (null leaves them alone), so that neither is written down again here: hence `any`. What main.tf gives a
# variable for this environment, a value given here replaces.

variable "tags" {
  description = "Tags for every resource, besides those of the module."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "vpc" {
  description = "The VPC that the functions run in: { subnet_ids, security_group_ids }; null means none."
  type        = any
  default     = null
}

variable "iam" {
  description = "Path and permissions boundary of every role."
  type        = any
  default     = {}
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key for the queues, the table, the bucket, the logs, and the functions' environment."
  type        = string
  default     = null
}

variable "request_queue" {
  description = "The queue of jobs and its dead-letter queue."
  type        = any
  default     = {}
  nullable    = false
}

variable "response_queue" {
  description = "The queue of results and its dead-letter queue."
  type        = any
  default     = {}
  nullable    = false
}

variable "processor" {
  description = "The function that works on the jobs."
  type        = any
  default     = {}
  nullable    = false
}

variable "result_handler" {
  description = "The function that writes the results to the table."
  type        = any
  default     = {}
  nullable    = false
}

variable "jobs_api" {
  description = "The function that answers the HTTP requests."
  type        = any
  default     = {}
  nullable    = false
}

variable "reconciler" {
  description = "The function that closes what nobody works on any more."
  type        = any
  default     = {}
  nullable    = false
}

variable "logs" {
  description = "Level of the functions' logs, and how long all logs are kept."
  type        = any
  default     = {}
  nullable    = false
}

variable "alarms" {
  description = "Who is told, and when."
  type        = any
  default     = {}
  nullable    = false
}

variable "api" {
  description = "Who may call the API, under which name, and how often: docs/access.md."
  type        = any
  default     = {}
  nullable    = false
}

variable "events" {
  description = "Events of every job that ends: docs/events.md."
  type        = any
  default     = {}
  nullable    = false
}

variable "table" {
  description = "The jobs table."
  type        = any
  default     = {}
  nullable    = false
}

variable "bucket" {
  description = "The bucket of large inputs and results."
  type        = any
  default     = {}
  nullable    = false
}

variable "jobs" {
  description = "Rules for all jobs: retention, deadline, backoff."
  type        = any
  default     = {}
  nullable    = false
}

variable "budget" {
  description = "How many tokens the jobs of one UTC day may use."
  type        = any
  default     = {}
  nullable    = false
}

variable "default_model_id" {
  description = "The model of every job type that names none. Outside us-east-1 most models are called through the inference profile of the geography, e.g. eu.amazon.nova-lite-v1:0."
  type        = string
  default     = null
}

variable "model_prices" {
  description = "What models cost, for the metric EstimatedCost."
  type        = any
  default     = null
}

variable "builtin_job_types" {
  description = "Offer the built-in job types."
  type        = bool
  default     = null
}

variable "job_types" {
  description = "Job types of your own."
  type        = any
  default     = {}
  nullable    = false
}
