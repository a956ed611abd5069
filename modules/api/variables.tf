variable "name" {
  description = "Name of the REST API."
  type        = string
  nullable    = false
}

variable "stage_name" {
  description = "Name of the stage; the first part of every path."
  type        = string
  default     = "v1"
  nullable    = false
}

variable "authorization" {
  description = <<-EOT
    Who may call: AWS_IAM (signed requests of principals with execute-api:Invoke), NONE, COGNITO_USER_POOLS (tokens of
    var.cognito) or CUSTOM (whom var.lambda_authorizer lets in).
  EOT
  type        = string
  default     = "AWS_IAM"
  nullable    = false
}

variable "cognito" {
  description = "The user pools whose tokens are taken, for COGNITO_USER_POOLS. With scopes those are access tokens that have one of them, else ID tokens."
  type = object({
    user_pool_arns = set(string)
    scopes         = optional(set(string), [])
  })
  default = null
}

variable "lambda_authorizer" {
  description = <<-EOT
    The function, in this account and region, that decides for CUSTOM. What it answers is kept for result_ttl_seconds under the
    values of the headers in identity_source, and for every route alike.
  EOT
  type = object({
    function_arn       = string
    type               = optional(string, "TOKEN")
    identity_source    = optional(string, "method.request.header.Authorization")
    result_ttl_seconds = optional(number, 300)
  })
  default = null
}

variable "usage_plan" {
  description = "API keys by name, and what each of them may use; null means that no key is asked for. A key without a value gets one from AWS."
  type = object({
    keys        = map(object({ value = optional(string) }))
    rate_limit  = optional(number)
    burst_limit = optional(number)
    quota = optional(object({
      limit  = number
      period = string
    }))
  })
  default = null
}

variable "resource_policy" {
  description = "A resource policy of the API as JSON; execute-api:/ at the beginning of a resource stands for this API. null means none."
  type        = object({ json = string })
  default     = null
}

variable "waf" {
  description = "The regional web ACL (AWS WAF) in front of the stage; null means none."
  type        = object({ web_acl_arn = string })
  default     = null
}

variable "domain" {
  description = "A domain name for the API, and its certificate in this region; null means none."
  type = object({
    name            = string
    certificate_arn = string
    base_path       = optional(string)
    security_policy = optional(string, "TLS_1_2")
  })
  default = null
}

variable "request_queue" {
  description = "The queue, in this account and region, that POST /jobs sends to."
  type = object({
    name = string
    arn  = string
  })
  nullable = false
}

variable "jobs_function" {
  description = "The function that answers every route but POST /jobs."
  type = object({
    name       = string
    invoke_arn = string
  })
  nullable = false
}

variable "throttling_rate_limit" {
  description = "Requests a second that each method takes."
  type        = number
  default     = 100
  nullable    = false
}

variable "throttling_burst_limit" {
  description = "Requests at once that each method takes."
  type        = number
  default     = 200
  nullable    = false
}

variable "access_logs" {
  description = "Write a JSON access log. Needs the account's API Gateway logging role (aws_api_gateway_account)."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the access log is kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key of the request queue; null means that it has none."
  type        = string
  default     = null
}

variable "role_name" {
  description = "Name of the role by which the API sends to the queue. IAM names are global: include the region."
  type        = string
  nullable    = false
}

variable "role_path" {
  description = "IAM path of the role."
  type        = string
  default     = "/"
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role; null means none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that the module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}
