variable "name" {
  description = "Name of the REST API."
  type        = string
  nullable    = false
}

variable "stage_name" {
  description = "Name of the stage; the first part of every path."
  type        = string
  nullable    = false
}

variable "authorization" {
  description = <<-EOT
    Who may call: AWS_IAM (signed requests from principals with execute-api:Invoke), NONE, COGNITO_USER_POOLS (tokens from the user
    pools in cognito), or CUSTOM (whomever the function in lambda_authorizer admits).
  EOT
  type        = string
  nullable    = false
}

variable "cognito" {
  description = "The user pools whose tokens are accepted, for COGNITO_USER_POOLS: access tokens with one of the scopes if scopes are set, otherwise ID tokens."
  type = object({
    user_pool_arns = set(string)
    scopes         = optional(set(string), [])
  })
  default = null

  validation {
    condition     = (var.authorization == "COGNITO_USER_POOLS") == (var.cognito != null)
    error_message = "authorization is \"${var.authorization}\", and cognito is ${var.cognito == null ? "not set" : "set"}. Set cognito for COGNITO_USER_POOLS, and omit it for every other authorization."
  }

  validation {
    condition = var.cognito == null ? true : length(var.cognito.user_pool_arns) > 0 && alltrue([
      for arn in var.cognito.user_pool_arns : can(regex("^arn:[^:]+:cognito-idp:[^:]+:[0-9]{12}:userpool/[A-Za-z0-9_-]+$", arn))
    ])
    error_message = "cognito.user_pool_arns is ${jsonencode(try(var.cognito.user_pool_arns, null))}. Use the ARNs of one or more user pools, e.g. arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Ab1Cd2Ef3."
  }

  validation {
    condition     = alltrue([for scope in try(var.cognito.scopes, []) : can(regex("^[!#-\\[\\]-~]+$", scope))])
    error_message = "cognito.scopes is ${jsonencode(try(var.cognito.scopes, null))}. A scope is printable ASCII without spaces, quotation marks, and backslashes, e.g. ai-jobs/use."
  }
}

variable "lambda_authorizer" {
  description = <<-EOT
    The function, in this account and region, that decides for CUSTOM. The API caches its answers for result_ttl_seconds, by the values
    of the headers in identity_source; a cached answer applies to every route.
  EOT
  type = object({
    function_arn       = string
    type               = string
    identity_source    = string
    result_ttl_seconds = number
  })
  default = null

  validation {
    condition     = (var.authorization == "CUSTOM") == (var.lambda_authorizer != null)
    error_message = "authorization is \"${var.authorization}\", and lambda_authorizer is ${var.lambda_authorizer == null ? "not set" : "set"}. Set lambda_authorizer for CUSTOM, and omit it for every other authorization."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.lambda_authorizer.function_arn))
    error_message = "lambda_authorizer.function_arn is \"${try(var.lambda_authorizer.function_arn, "")}\". Use the ARN of a Lambda function, or of a version or an alias of one."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : contains(["TOKEN", "REQUEST"], var.lambda_authorizer.type)
    error_message = "lambda_authorizer.type is \"${try(var.lambda_authorizer.type, "")}\". Use TOKEN (the function gets one header) or REQUEST (it gets the whole request except its body)."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : can(regex("^method\\.request\\.header\\.[A-Za-z0-9-]+(, *method\\.request\\.header\\.[A-Za-z0-9-]+)*$", var.lambda_authorizer.identity_source))
    error_message = "lambda_authorizer.identity_source is \"${try(var.lambda_authorizer.identity_source, "")}\". Name the headers that carry the credentials, e.g. method.request.header.Authorization, separated by commas. Credentials can't be in the query, because the API rejects unknown parameters there."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : var.lambda_authorizer.type != "TOKEN" || !strcontains(var.lambda_authorizer.identity_source, ",")
    error_message = "lambda_authorizer.identity_source is \"${try(var.lambda_authorizer.identity_source, "")}\". An authorizer of type TOKEN has one header. Name one, or use type REQUEST."
  }

  validation {
    condition     = var.lambda_authorizer == null ? true : var.lambda_authorizer.result_ttl_seconds >= 0 && var.lambda_authorizer.result_ttl_seconds <= 3600 && floor(var.lambda_authorizer.result_ttl_seconds) == var.lambda_authorizer.result_ttl_seconds
    error_message = "lambda_authorizer.result_ttl_seconds is ${try(var.lambda_authorizer.result_ttl_seconds, 0)}. Use a whole number of seconds from 0 (every request asks the function) to 3600."
  }

  # A regional API works only with what is in its region; AWS would report it late, and less clearly.
  validation {
    condition     = var.lambda_authorizer == null ? true : try(split(":", var.lambda_authorizer.function_arn)[3], "") == data.aws_region.current.id
    error_message = "lambda_authorizer.function_arn is \"${try(var.lambda_authorizer.function_arn, "")}\". The function must be in the API's region, ${data.aws_region.current.id}."
  }
}

variable "usage_plan" {
  description = "API keys by name, and how much each of them may use; null means that callers need no key. A key without a value gets one from AWS."
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
    error_message = "usage_plan is set, and authorization is \"NONE\". API keys are a quota, not authentication. Use AWS_IAM, COGNITO_USER_POOLS, or CUSTOM with them, or omit the usage plan."
  }

  validation {
    condition     = !can(var.usage_plan.keys) || try(length(var.usage_plan.keys) > 0 && alltrue([for name in keys(var.usage_plan.keys) : can(regex("^[A-Za-z0-9_-]{1,64}$", name))]), false)
    error_message = "usage_plan.keys has the names ${jsonencode(try(keys(var.usage_plan.keys), []))}. Define at least one key, with a name of 1 to 64 letters, digits, hyphens, and underscores. Without the usage plan, nobody needs a key."
  }

  validation {
    condition     = alltrue([for key in try(values(var.usage_plan.keys), []) : key.value == null ? true : length(key.value) >= 20 && length(key.value) <= 128])
    error_message = "usage_plan.keys has a value that is too short or too long, under one of the names ${jsonencode(try(keys(var.usage_plan.keys), []))}. API Gateway accepts 20 to 128 characters. Omit the value, and AWS generates one."
  }

  validation {
    condition     = (try(var.usage_plan.rate_limit, null) == null) == (try(var.usage_plan.burst_limit, null) == null)
    error_message = "usage_plan.rate_limit is ${jsonencode(try(var.usage_plan.rate_limit, null))}, and burst_limit is ${jsonencode(try(var.usage_plan.burst_limit, null))}. Set both or neither: a missing one counts as 0, and would reject every request."
  }

  validation {
    condition     = try(var.usage_plan.rate_limit, null) == null ? true : var.usage_plan.rate_limit > 0
    error_message = "usage_plan.rate_limit is ${jsonencode(try(var.usage_plan.rate_limit, null))}. Use more than 0 requests per second for each key."
  }

  validation {
    condition     = try(var.usage_plan.burst_limit, null) == null ? true : var.usage_plan.burst_limit >= 1 && floor(var.usage_plan.burst_limit) == var.usage_plan.burst_limit
    error_message = "usage_plan.burst_limit is ${jsonencode(try(var.usage_plan.burst_limit, null))}. Use a whole number of requests, 1 or more."
  }

  validation {
    condition     = try(var.usage_plan.quota, null) == null ? true : var.usage_plan.quota.limit >= 1 && floor(var.usage_plan.quota.limit) == var.usage_plan.quota.limit
    error_message = "usage_plan.quota.limit is ${jsonencode(try(var.usage_plan.quota.limit, null))}. Use a whole number of requests, 1 or more."
  }

  validation {
    condition     = try(var.usage_plan.quota, null) == null ? true : contains(["DAY", "WEEK", "MONTH"], var.usage_plan.quota.period)
    error_message = "usage_plan.quota.period is ${jsonencode(try(var.usage_plan.quota.period, null))}. Use DAY, WEEK, or MONTH."
  }
}

variable "resource_policy" {
  description = "A resource policy of the API as JSON; execute-api:/ at the beginning of a resource stands for this API. null means none."
  type        = object({ json = string })
  default     = null

  validation {
    condition     = var.resource_policy == null ? true : can(jsondecode(var.resource_policy.json).Statement)
    error_message = "resource_policy.json is not a policy: ${substr(try(var.resource_policy.json, ""), 0, 200)}. Use a JSON object with a Statement, e.g. jsonencode({ Version = \"2012-10-17\", Statement = [...] })."
  }
}

variable "waf" {
  description = "The regional web ACL (AWS WAF) in front of the stage; null means none."
  type        = object({ web_acl_arn = string })
  default     = null

  validation {
    condition     = var.waf == null ? true : can(regex("^arn:[^:]+:wafv2:[^:]+:[0-9]{12}:regional/webacl/[^/]+/[^/]+$", var.waf.web_acl_arn))
    error_message = "waf.web_acl_arn is \"${try(var.waf.web_acl_arn, "")}\". Use the ARN of a regional web ACL; a global one, for CloudFront, does not work here."
  }

  # A regional API works only with what is in its region; AWS would report it late, and less clearly.
  validation {
    condition     = var.waf == null ? true : try(split(":", var.waf.web_acl_arn)[3], "") == data.aws_region.current.id
    error_message = "waf.web_acl_arn is \"${try(var.waf.web_acl_arn, "")}\". The web ACL must be in the API's region, ${data.aws_region.current.id}."
  }
}

variable "domain" {
  description = "A domain name for the API, and its certificate in this region; null means none."
  type = object({
    name            = string
    certificate_arn = string
    base_path       = optional(string)
    security_policy = string
  })
  default = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain.name))
    error_message = "domain.name is \"${try(var.domain.name, "")}\". Use a lowercase host name, e.g. jobs.example.com."
  }

  validation {
    condition     = var.domain == null ? true : can(regex("^arn:[^:]+:acm:[^:]+:[0-9]{12}:certificate/.+$", var.domain.certificate_arn))
    error_message = "domain.certificate_arn is \"${try(var.domain.certificate_arn, "")}\". Use the ARN of a certificate in ACM."
  }

  validation {
    condition     = try(var.domain.base_path, null) == null ? true : can(regex("^[A-Za-z0-9._-]+$", var.domain.base_path))
    error_message = "domain.base_path is \"${try(coalesce(var.domain.base_path), "")}\". Use one segment of a path, without slashes, in letters, digits, dots, hyphens, and underscores, or omit it."
  }

  validation {
    condition     = var.domain == null ? true : contains(["TLS_1_0", "TLS_1_2"], var.domain.security_policy)
    error_message = "domain.security_policy is \"${try(var.domain.security_policy, "")}\". Use TLS_1_2 or TLS_1_0."
  }

  # A regional API works only with what is in its region; AWS would report it late, and less clearly.
  validation {
    condition     = var.domain == null ? true : try(split(":", var.domain.certificate_arn)[3], "") == data.aws_region.current.id
    error_message = "domain.certificate_arn is \"${try(var.domain.certificate_arn, "")}\". The certificate must be in the API's region, ${data.aws_region.current.id}."
  }
}

variable "cors" {
  description = <<-EOT
    The origins whose pages may call the API from a browser, and how long a browser caches the answer to a preflight; null means
    none. allow_origins is ["*"], or a list such as ["https://app.example.com"].
  EOT
  type = object({
    allow_origins   = list(string)
    max_age_seconds = number
  })
  default = null

  validation {
    condition     = var.cors == null ? true : length(var.cors.allow_origins) >= 1 && length(var.cors.allow_origins) <= 20 && length(distinct(var.cors.allow_origins)) == length(var.cors.allow_origins)
    error_message = "cors.allow_origins is ${jsonencode(try(var.cors.allow_origins, null))}. Use 1 to 20 different origins. To keep all pages out, omit cors."
  }

  # Browsers send an origin in lowercase, without a path, and without the scheme's default port; anything else in the list would never
  # match. Plain http is only for a developer's machine: anybody in between could put a page on such an origin.
  validation {
    condition = alltrue([
      for origin in try(var.cors.allow_origins, []) : origin == "*" ||
      (can(regex("^https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$", origin)) && !endswith(origin, ":443")) ||
      (can(regex("^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,4})?$", origin)) && !endswith(origin, ":80"))
    ])
    error_message = "cors.allow_origins is ${jsonencode(try(var.cors.allow_origins, null))}. An origin is https://host or https://host:port in lowercase, without a path, a trailing slash, wildcards, or the port 443 (http only for localhost, 127.0.0.1, and [::1], and without the port 80), e.g. https://app.example.com. To admit the pages of every origin, use [\"*\"]."
  }

  validation {
    condition     = var.cors == null ? true : !contains(var.cors.allow_origins, "*") || length(var.cors.allow_origins) == 1
    error_message = "cors.allow_origins is ${jsonencode(try(var.cors.allow_origins, null))}. \"*\" stands for every origin, so it must be the only one. Omit the others, or the \"*\"."
  }

  validation {
    condition     = var.cors == null ? true : var.cors.max_age_seconds >= 0 && var.cors.max_age_seconds <= 86400 && floor(var.cors.max_age_seconds) == var.cors.max_age_seconds
    error_message = "cors.max_age_seconds is ${try(var.cors.max_age_seconds, 0)}. Use a whole number of seconds from 0 (a preflight before every request) to 86400, the longest that any browser caches it."
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
  description = "The function that answers every route except POST /jobs: its alias, and the ARN with which API Gateway invokes that."
  type = object({
    name       = string
    alias      = string
    invoke_arn = string
  })
  nullable = false
}

variable "throttling_rate_limit" {
  description = "Requests per second that each method accepts."
  type        = number
  nullable    = false
}

variable "throttling_burst_limit" {
  description = "Largest burst of requests that each method accepts."
  type        = number
  nullable    = false
}

variable "access_logs" {
  description = "Write a JSON access log. Needs the account's API Gateway logging role (aws_api_gateway_account)."
  type        = bool
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the access log is kept."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key of the request queue and of the access log; null means AWS's own keys."
  type        = string
  default     = null
}

variable "role_name" {
  description = "Name of the role with which the API sends to the queue. IAM names are global: include the region."
  type        = string
  nullable    = false
}

variable "role_path" {
  description = "IAM path of the role."
  type        = string
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
