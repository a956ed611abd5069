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
  description = "Where the zips are: the directory of `make package`, or a bucket (with the version of each object)."
  type = object({
    directory = optional(string)
    s3 = optional(object({
      bucket   = string
      prefix   = optional(string, "")
      versions = optional(map(string), {})
    }))
  })
  default  = { directory = "../../dist" }
  nullable = false
}

variable "default_model_id" {
  description = "The model of every job type that names none. Outside us-east-1 most models are called through the inference profile of the geography, e.g. eu.amazon.nova-lite-v1:0."
  type        = string
  default     = "amazon.nova-lite-v1:0"
  nullable    = false
}

variable "job_types" {
  description = "Job types of your own, as modules/ai-jobs takes them."
  type = map(object({
    model_id        = optional(string)
    system_prompt   = optional(string)
    prompt          = string
    max_tokens      = optional(number, 2048)
    temperature     = optional(number)
    timeout_seconds = optional(number, 120)
    guardrail = optional(object({
      id      = string
      version = string
    }))
    input_schema = string
  }))
  default  = {}
  nullable = false
}

variable "api" {
  description = "Who may call the API, and under which name, as modules/ai-jobs takes it: docs/access.md. By default signed requests (AWS_IAM)."
  type = object({
    authorization = optional(string)
    cognito = optional(object({
      user_pool_arns = set(string)
      scopes         = optional(set(string))
    }))
    lambda_authorizer = optional(object({
      function_arn       = string
      type               = optional(string)
      identity_source    = optional(string)
      result_ttl_seconds = optional(number)
    }))
    usage_plan = optional(object({
      keys        = map(object({ value = optional(string) }))
      rate_limit  = optional(number)
      burst_limit = optional(number)
      quota = optional(object({
        limit  = number
        period = string
      }))
    }))
    resource_policy = optional(object({ json = string }))
    waf             = optional(object({ web_acl_arn = string }))
    domain = optional(object({
      name            = string
      certificate_arn = string
      base_path       = optional(string)
      security_policy = optional(string)
    }))
  })
  default  = {}
  nullable = false
}

variable "api_access_logs" {
  description = "Write the API's access log. Needs the account's API Gateway logging role (aws_api_gateway_account)."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags for every resource, besides those of the module."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "alarm_email_addresses" {
  description = "Who gets every change of an alarm by e-mail."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "page_email_addresses" {
  description = "Who gets a mail when the service as a whole is unhealthy. A pager subscribes to the output page_topic_arn."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "runbook_url" {
  description = "Where the descriptions of the alarms point: the page on which your operators read docs/runbooks.md."
  type        = string
  default     = "docs/runbooks.md"
  nullable    = false
}
