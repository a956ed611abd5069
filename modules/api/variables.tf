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

  validation {
    condition     = (var.authorization == "COGNITO_USER_POOLS") == (var.cognito != null)
    error_message = "authorization is \"${var.authorization}\", and cognito is ${var.cognito == null ? "not given" : "given"}: COGNITO_USER_POOLS needs cognito, and nothing else has a use for it."
  }

  validation {
    condition = var.cognito == null ? true : length(var.cognito.user_pool_arns) > 0 && alltrue([
      for arn in var.cognito.user_pool_arns : can(regex("^arn:[^:]+:cognito-idp:[^:]+:[0-9]{12}:userpool/[A-Za-z0-9_-]+$", arn))
    ])
    error_message = "cognito.user_pool_arns is ${jsonencode(try(var.cognito.user_pool_arns, null))}: give the ARNs of one or more user pools, e.g. arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Ab1Cd2Ef3."
  }

  validation {
    condition     = alltrue([for scope in try(var.cognito.scopes, []) : can(regex("^[!#-\\[\\]-~]+$", scope))])
    error_message = "cognito.scopes is ${jsonencode(try(var.cognito.scopes, null))}: a scope is printable ASCII without spaces, quotation marks and backslashes, e.g. ai-jobs/use."
  }
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

  validation {
    condition     = (var.authorization == "CUSTOM") == (var.lambda_authorizer != null)
    error_message = "authorization is \"${var.authorization}\", and lambda_authorizer is ${var.lambda_authorizer == null ? "not given" : "given"}: CUSTOM needs lambda_authorizer, and nothing else has a use for it."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.lambda_authorizer.function_arn))
    error_message = "lambda_authorizer.function_arn is \"${try(var.lambda_authorizer.function_arn, "")}\": give the ARN of a Lambda function, or of a version or an alias of one."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : contains(["TOKEN", "REQUEST"], var.lambda_authorizer.type)
    error_message = "lambda_authorizer.type is \"${try(var.lambda_authorizer.type, "")}\": use TOKEN (the function gets one header) or REQUEST (it gets the whole request but its body)."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : can(regex("^method\\.request\\.header\\.[A-Za-z0-9-]+(, *method\\.request\\.header\\.[A-Za-z0-9-]+)*$", var.lambda_authorizer.identity_source))
    error_message = "lambda_authorizer.identity_source is \"${try(var.lambda_authorizer.identity_source, "")}\": name the headers with the credentials, e.g. method.request.header.Authorization, separated by commas. They cannot be in the query, where unknown parameters are refused."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : var.lambda_authorizer.type != "TOKEN" || !strcontains(var.lambda_authorizer.identity_source, ",")
    error_message = "lambda_authorizer.identity_source is \"${try(var.lambda_authorizer.identity_source, "")}\": an authorizer of the type TOKEN has one header. Name one, or use the type REQUEST."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : var.lambda_authorizer.result_ttl_seconds >= 0 && var.lambda_authorizer.result_ttl_seconds <= 3600 && floor(var.lambda_authorizer.result_ttl_seconds) == var.lambda_authorizer.result_ttl_seconds
    error_message = "lambda_authorizer.result_ttl_seconds is ${try(var.lambda_authorizer.result_ttl_seconds, 0)}: give whole seconds from 0 (every request asks the function) to 3600."
  }

  # A regional API works with what is in its region only; AWS would say so late, and in other words.
  validation {
    condition     = var.lambda_authorizer == null ? true : try(split(":", var.lambda_authorizer.function_arn)[3], "") == data.aws_region.current.id
    error_message = "lambda_authorizer.function_arn is \"${try(var.lambda_authorizer.function_arn, "")}\": the function must be in the API's region, ${data.aws_region.current.id}."
  }
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

  # The values of keys are secrets: no message may show one.
  validation {
    condition     = var.authorization != "NONE" || !can(var.usage_plan.keys)
    error_message = "usage_plan is given, and authorization is \"NONE\": API keys are quota, not authentication. Use AWS_IAM, COGNITO_USER_POOLS or CUSTOM with them, or leave the usage plan out."
  }

  validation {
    condition     = !can(var.usage_plan.keys) || try(length(var.usage_plan.keys) > 0 && alltrue([for name in keys(var.usage_plan.keys) : can(regex("^[A-Za-z0-9_-]{1,64}$", name))]), false)
    error_message = "usage_plan.keys has the names ${jsonencode(try(keys(var.usage_plan.keys), []))}: give at least one key, under a name of 1 to 64 letters, digits, hyphens and underscores. Without the usage plan nobody needs a key."
  }

  validation {
    condition     = alltrue([for key in try(values(var.usage_plan.keys), []) : key.value == null ? true : length(key.value) >= 20 && length(key.value) <= 128])
    error_message = "usage_plan.keys has a value that is too short or too long, under one of the names ${jsonencode(try(keys(var.usage_plan.keys), []))}: API Gateway takes 20 to 128 characters. Leave the value out, and AWS makes one."
  }

  validation {
    condition     = (try(var.usage_plan.rate_limit, null) == null) == (try(var.usage_plan.burst_limit, null) == null)
    error_message = "usage_plan.rate_limit is ${jsonencode(try(var.usage_plan.rate_limit, null))}, burst_limit is ${jsonencode(try(var.usage_plan.burst_limit, null))}: give both or neither; one that is missing counts as 0, and refuses everything."
  }

  validation {
    condition     = try(var.usage_plan.rate_limit, null) == null ? true : var.usage_plan.rate_limit > 0
    error_message = "usage_plan.rate_limit is ${jsonencode(try(var.usage_plan.rate_limit, null))}: give more than 0 requests a second for each key."
  }

  validation {
    condition     = try(var.usage_plan.burst_limit, null) == null ? true : var.usage_plan.burst_limit >= 1 && floor(var.usage_plan.burst_limit) == var.usage_plan.burst_limit
    error_message = "usage_plan.burst_limit is ${jsonencode(try(var.usage_plan.burst_limit, null))}: give a whole number of requests at once from 1."
  }

  validation {
    condition     = try(var.usage_plan.quota, null) == null ? true : var.usage_plan.quota.limit >= 1 && floor(var.usage_plan.quota.limit) == var.usage_plan.quota.limit
    error_message = "usage_plan.quota.limit is ${jsonencode(try(var.usage_plan.quota.limit, null))}: give a whole number of requests from 1."
  }

  validation {
    condition     = try(var.usage_plan.quota, null) == null ? true : contains(["DAY", "WEEK", "MONTH"], var.usage_plan.quota.period)
    error_message = "usage_plan.quota.period is ${jsonencode(try(var.usage_plan.quota.period, null))}: use DAY, WEEK or MONTH."
  }
}

variable "resource_policy" {
  description = "A resource policy of the API as JSON; execute-api:/ at the beginning of a resource stands for this API. null means none."
  type        = object({ json = string })
  default     = null

  validation {
    condition     = var.resource_policy == null ? true : can(jsondecode(var.resource_policy.json).Statement)
    error_message = "resource_policy.json is no policy: ${substr(try(var.resource_policy.json, ""), 0, 200)}. Give a JSON object with a Statement, e.g. jsonencode({ Version = \"2012-10-17\", Statement = [...] })."
  }
}

variable "waf" {
  description = "The regional web ACL (AWS WAF) in front of the stage; null means none."
  type        = object({ web_acl_arn = string })
  default     = null

  validation {
    condition     = var.waf == null ? true : can(regex("^arn:[^:]+:wafv2:[^:]+:[0-9]{12}:regional/webacl/[^/]+/[^/]+$", var.waf.web_acl_arn))
    error_message = "waf.web_acl_arn is \"${try(var.waf.web_acl_arn, "")}\": give the ARN of a regional web ACL; one of CloudFront (global) does not fit."
  }

  # A regional API works with what is in its region only; AWS would say so late, and in other words.
  validation {
    condition     = var.waf == null ? true : try(split(":", var.waf.web_acl_arn)[3], "") == data.aws_region.current.id
    error_message = "waf.web_acl_arn is \"${try(var.waf.web_acl_arn, "")}\": the web ACL must be in the API's region, ${data.aws_region.current.id}."
  }
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

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain.name))
    error_message = "domain.name is \"${try(var.domain.name, "")}\": give a host name in lower case, e.g. jobs.example.com."
  }

  validation {
    condition     = var.domain == null ? true : can(regex("^arn:[^:]+:acm:[^:]+:[0-9]{12}:certificate/.+$", var.domain.certificate_arn))
    error_message = "domain.certificate_arn is \"${try(var.domain.certificate_arn, "")}\": give the ARN of a certificate in ACM."
  }

  validation {
    condition     = try(var.domain.base_path, null) == null ? true : can(regex("^[A-Za-z0-9._-]+$", var.domain.base_path))
    error_message = "domain.base_path is \"${try(coalesce(var.domain.base_path), "")}\": give one part of a path, without slashes, in letters, digits, dots, hyphens and underscores; or leave it out."
  }

  validation {
    condition     = var.domain == null ? true : contains(["TLS_1_0", "TLS_1_2"], var.domain.security_policy)
    error_message = "domain.security_policy is \"${try(var.domain.security_policy, "")}\": use TLS_1_2 or TLS_1_0."
  }

  # A regional API works with what is in its region only; AWS would say so late, and in other words.
  validation {
    condition     = var.domain == null ? true : try(split(":", var.domain.certificate_arn)[3], "") == data.aws_region.current.id
    error_message = "domain.certificate_arn is \"${try(var.domain.certificate_arn, "")}\": the certificate must be in the API's region, ${data.aws_region.current.id}."
  }
}

variable "cors" {
  description = <<-EOT
    The origins whose pages may call the API from a browser, and how long a browser keeps the answer to a preflight; null means
    none. allow_origins is ["*"], or a list such as ["https://app.example.com"].
  EOT
  type = object({
    allow_origins   = list(string)
    max_age_seconds = optional(number, 3600)
  })
  default = null

  validation {
    condition     = var.cors == null ? true : length(var.cors.allow_origins) >= 1 && length(var.cors.allow_origins) <= 20 && length(distinct(var.cors.allow_origins)) == length(var.cors.allow_origins)
    error_message = "cors.allow_origins is ${jsonencode(try(var.cors.allow_origins, null))}: give 1 to 20 different origins. Without cors, no page may call the API."
  }

  # Browsers send an origin in lower case, without a path, and without the scheme's own port; whatever else is in the list never
  # matches. Plain http is for a developer's machine: anybody on the way could put a page on such an origin.
  validation {
    condition = alltrue([
      for origin in try(var.cors.allow_origins, []) : origin == "*" ||
      (can(regex("^https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$", origin)) && !endswith(origin, ":443")) ||
      (can(regex("^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,4})?$", origin)) && !endswith(origin, ":80"))
    ])
    error_message = "cors.allow_origins is ${jsonencode(try(var.cors.allow_origins, null))}: an origin is https://host or https://host:port in lower case, without a path, a slash at the end, wildcards in it, or the port 443 (http only for localhost, 127.0.0.1, and [::1], and without the port 80), e.g. https://app.example.com. To let in the pages of every origin, give [\"*\"]."
  }

  validation {
    condition     = var.cors == null ? true : !contains(var.cors.allow_origins, "*") || length(var.cors.allow_origins) == 1
    error_message = "cors.allow_origins is ${jsonencode(try(var.cors.allow_origins, null))}: \"*\" stands for every origin, so it stands alone. Leave out the others, or the \"*\"."
  }

  validation {
    condition     = var.cors == null ? true : var.cors.max_age_seconds >= 0 && var.cors.max_age_seconds <= 86400 && floor(var.cors.max_age_seconds) == var.cors.max_age_seconds
    error_message = "cors.max_age_seconds is ${try(var.cors.max_age_seconds, 0)}: give whole seconds from 0 (a preflight before every request) to 86400, the most that any browser keeps."
  }
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
