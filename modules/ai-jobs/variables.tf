# --- Names, tags, packages ---

variable "name" {
  description = "Prefix of every name, and the value of the tag Application."
  type        = string
  default     = "bayon-coagent"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name))
    error_message = "name is \"${var.name}\". Use lowercase letters, digits, and single hyphens, starting with a letter."
  }

  validation {
    condition = alltrue([for rule in values(local.name_rules) : length("${var.name}${rule.suffix}") <= rule.limit])
    error_message = join(" ", [
      "These names would be too long:",
      "${join(", ", [for rule in values(local.name_rules) : "${var.name}${rule.suffix} (${rule.kind}: ${length("${var.name}${rule.suffix}")} characters, at most ${rule.limit})" if length("${var.name}${rule.suffix}") > rule.limit])}.",
      "Shorten name (\"${var.name}\") or environment (\"${var.environment}\").",
    ])
  }
}

variable "environment" {
  description = "The environment, e.g. production: part of every name, and the value of the tag Environment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.environment))
    error_message = "environment is \"${var.environment}\". Use lowercase letters, digits, and single hyphens, starting with a letter."
  }
}

variable "tags" {
  description = "Tags for every resource, in addition to Environment, Application, and Service. A tag given here replaces one of these with the same name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(distinct([for key in keys(merge(local.own_tags, var.tags)) : lower(key)])) == length(merge(local.own_tags, var.tags))
    error_message = "tags has keys that differ only in case, among ${join(", ", keys(merge(local.own_tags, var.tags)))}, and IAM rejects such keys. The module sets Environment, Application, and Service; use the same spelling to replace one."
  }
}

variable "packages" {
  description = <<-EOT
    Where the functions' zips are: either a directory or a bucket. A plan changes exactly the functions whose zips differ, and another
    manifest is another release.
  EOT
  type = object({
    # The directory of `make package`.
    directory = optional(string)
    # The bucket of `make publish`, in the region of the functions.
    s3 = optional(object({
      bucket = string
      # What precedes the keys of the zips.
      prefix = optional(string, "")
      # The region of the bucket; if it is given, the plan checks it.
      region = optional(string)
      # The release's `manifest.json`, as a path or as its JSON: the keys of the zips and their hashes come from it. A plan refuses
      # a zip with another SHA-256 in the bucket.
      manifest = string
    }))
  })
  nullable = false

  validation {
    condition     = (var.packages.directory == null) != (var.packages.s3 == null)
    error_message = "packages has ${var.packages.directory == null ? "neither directory nor s3" : "both directory (${var.packages.directory}) and s3"}. Set exactly one of them: directory is the folder of the zips, such as \"dist\", and s3 has bucket, prefix, and manifest."
  }

  # Lambda would report it late, halfway through an apply.
  validation {
    condition     = try(var.packages.s3.region, null) == null ? true : var.packages.s3.region == local.region
    error_message = "packages.s3.region is ${jsonencode(try(var.packages.s3.region, null))}, and the functions are in ${local.region}. Lambda takes zips only from a bucket in its own region. Publish the release to a bucket in ${local.region} (make publish), and name that one in packages.s3.bucket, which is ${jsonencode(try(var.packages.s3.bucket, null))}."
  }

  validation {
    condition     = var.packages.s3 == null ? true : try(startswith(trimspace(var.packages.s3.manifest), "{"), false) || try(fileexists(var.packages.s3.manifest), false)
    error_message = "packages.s3.manifest is ${jsonencode(try(substr(var.packages.s3.manifest, 0, 200), null))}, and there is no such file. Use the path of the release's manifest.json (a relative path starts at the folder in which terraform runs; \"$${path.module}/manifest.json\" is beside your configuration), or its JSON."
  }
}

# --- Security ---

variable "require_tls" {
  description = "Deny calls to the queues and the bucket over plain HTTP. Turn it off only for an emulator without TLS."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = <<-EOT
    Customer KMS key for the queues, the table, the bucket, the logs, and the functions' environment variables; null means keys that AWS
    owns or manages. Its key policy must let this account's IAM policies grant its use (the functions' roles have kms:Decrypt and
    kms:GenerateDataKey), and let in logs.<region>.amazonaws.com: otherwise CloudWatch Logs refuses to create the log groups
    (examples/complete has such a policy). A plan can't see a key's policy; `ai-jobs doctor` checks it.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is \"${coalesce(var.kms_key_arn, "-")}\". Use the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not its id or alias, because IAM policies name it too."
  }
}

variable "vpc" {
  description = <<-EOT
    Runs every function in these subnets; null runs them outside any VPC. The subnets need a NAT gateway, or the VPC endpoints that
    docs/how-it-works.md#in-a-vpc lists: without a route to SQS, DynamoDB, and Bedrock, no job finishes. A plan can't see routes and
    endpoints that it creates itself; `ai-jobs doctor` names what a subnet does not lead to.
  EOT
  type = object({
    # Ideally in several availability zones.
    subnet_ids = list(string)
    # They must allow outbound TCP 443.
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : alltrue([for name, ids in local.vpc_ids : length(var.vpc[name]) >= 1 && length(var.vpc[name]) <= ids.max && alltrue([for id in var.vpc[name] : can(regex("^${ids.prefix}-[0-9a-f]+$", id))])])
    error_message = join("\n", [for name, ids in local.vpc_ids : "vpc.${name} is ${try(jsonencode(var.vpc[name]), "null")}. Use 1 to ${ids.max} ids such as ${ids.prefix}-0a1b2c3d${ids.advice}." if var.vpc == null ? false : !(length(var.vpc[name]) >= 1 && length(var.vpc[name]) <= ids.max && alltrue([for id in var.vpc[name] : can(regex("^${ids.prefix}-[0-9a-f]+$", id))]))])
  }
}

variable "iam" {
  description = "Path and permissions boundary of every role."
  type = object({
    # Under a path other than /, role names end with a hash of it, because a role can't change its path and its replacement is
    # created before the old one is deleted.
    role_path = optional(string, "/")
    # The ARN of a managed policy.
    permissions_boundary_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.iam.role_path))
    error_message = "iam.role_path is \"${var.iam.role_path}\". It must begin and end with a slash, e.g. /platform/."
  }

  validation {
    condition     = var.iam.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/.+$", var.iam.permissions_boundary_arn))
    error_message = "iam.permissions_boundary_arn is \"${coalesce(var.iam.permissions_boundary_arn, "-")}\". Use the ARN of a managed policy (arn:aws:iam::<account>:policy/<name>)."
  }
}

variable "protected_with" {
  description = <<-EOT
    Ids of your resources that depend on the module's outputs, e.g. [aws_iam_policy.use_ai_jobs.id]. Terraform destroys such a resource
    before the module; in this list, it stays when the module refuses a terraform destroy. Refer to the resources themselves: ids
    written as text have no effect.
  EOT
  type        = list(string)
  default     = []
  nullable    = false
}

# --- Queues ---
#
# AWS recommends a visibility timeout of six times the function's timeout plus the batching window. The module does not enforce
# that, and defaults to one time: the clock starts at the poll, but the first thing that the processor does with a message is to
# reset its visibility to the full timeout, and it stops a margin before its own end. Only what Lambda itself requires is enforced.

variable "request_queue" {
  description = "The queue of jobs and its dead-letter queue."
  type = object({
    # How long a message that a function has received stays hidden. At least the function's timeout.
    visibility_timeout_seconds = optional(number, 900)
    # How long the queue keeps a message.
    message_retention_seconds = optional(number, 1209600)
    # How long the dead-letter queue keeps a message, counted from when the message first entered the queue.
    dlq_message_retention_seconds = optional(number, 1209600)
    # How long a receive waits for a message (long polling).
    receive_wait_time_seconds = optional(number, 20)
    # After this many receives, SQS moves a message to the dead-letter queue.
    max_receive_count = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.request_queue : [for value in var.request_queue[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.request_queue : [for value in var.request_queue[name][*] : "request_queue.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.request_queue.visibility_timeout_seconds >= var.processor.timeout_seconds
    error_message = "request_queue.visibility_timeout_seconds is ${var.request_queue.visibility_timeout_seconds}, and processor.timeout_seconds is ${var.processor.timeout_seconds}. Lambda rejects a queue whose messages become visible again while the function still works on them. Raise the visibility timeout to ${var.processor.timeout_seconds} or more, or lower the function's timeout."
  }

  validation {
    condition     = var.request_queue.dlq_message_retention_seconds >= var.request_queue.message_retention_seconds
    error_message = "request_queue.dlq_message_retention_seconds is ${var.request_queue.dlq_message_retention_seconds}, and message_retention_seconds is ${var.request_queue.message_retention_seconds}. A dead-lettered message keeps its original send time, so it could expire on arrival. Set the retention of the dead-letter queue to at least that of its queue."
  }
}

variable "response_queue" {
  description = "The queue of results and its dead-letter queue."
  type = object({
    # How long a message that a function has received stays hidden. At least the function's timeout.
    visibility_timeout_seconds = optional(number, 300)
    # How long the queue keeps a message.
    message_retention_seconds = optional(number, 1209600)
    # How long the dead-letter queue keeps a message, counted from when the message first entered the queue.
    dlq_message_retention_seconds = optional(number, 1209600)
    # How long a receive waits for a message (long polling).
    receive_wait_time_seconds = optional(number, 20)
    # After this many receives, SQS moves a message to the dead-letter queue.
    max_receive_count = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.response_queue : [for value in var.response_queue[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.response_queue : [for value in var.response_queue[name][*] : "response_queue.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.response_queue.visibility_timeout_seconds >= var.result_handler.timeout_seconds
    error_message = "response_queue.visibility_timeout_seconds is ${var.response_queue.visibility_timeout_seconds}, and result_handler.timeout_seconds is ${var.result_handler.timeout_seconds}. Lambda rejects a queue whose messages become visible again while the function still works on them. Raise the visibility timeout to ${var.result_handler.timeout_seconds} or more, or lower the function's timeout."
  }

  validation {
    condition     = var.response_queue.dlq_message_retention_seconds >= var.response_queue.message_retention_seconds
    error_message = "response_queue.dlq_message_retention_seconds is ${var.response_queue.dlq_message_retention_seconds}, and message_retention_seconds is ${var.response_queue.message_retention_seconds}. A dead-lettered message keeps its original send time, so it could expire on arrival. Set the retention of the dead-letter queue to at least that of its queue."
  }
}

# --- Functions ---

variable "processor" {
  description = <<-EOT
    The function that works on the jobs. `maximum_concurrency` times `batch_size` is how many model calls can run at once, which
    protects the model's quota.
  EOT
  type = object({
    # A job type's `timeout_seconds` must leave 15 s of it (docs/configuration.md#timeouts).
    timeout_seconds = optional(number, 900)
    # 3008 MB is the most that a new AWS account allows. The processor mostly waits for models, and memory is what its duration
    # costs: 192 MB is the smallest that is safe for a `batch_size` of up to 10 with responses of 200 KB, 256 MB for up to 100. Less
    # memory also means slower cold starts.
    memory_mb = optional(number, 3008)
    # How many jobs share an invocation.
    batch_size = optional(number, 10)
    # How long Lambda gathers a batch. With any window, it may take up to 20 s to pick up a job from a quiet queue; 0 avoids that.
    batching_window_seconds = optional(number, 5)
    # At most this many invocations at once.
    maximum_concurrency = optional(number, 10)
    # Concurrent executions that are set aside for this function alone.
    reserved_concurrency = optional(number)
    # false pauses the work; jobs stay in the queue.
    enabled = optional(bool, true)
    # ARNs of layer versions with the handlers of job types (docs/job-types.md#your-own-function).
    layers = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.processor : [for value in var.processor[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.processor : [for value in var.processor[name][*] : "processor.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.processor.batch_size <= 10 || var.processor.batching_window_seconds >= 1
    error_message = "processor.batch_size is ${var.processor.batch_size}, and batching_window_seconds is ${var.processor.batching_window_seconds}. Lambda requires a window of at least 1 second for a batch of more than 10. Set the window, or use a batch of at most 10."
  }

  validation {
    condition     = var.processor.reserved_concurrency == null ? true : var.processor.maximum_concurrency <= var.processor.reserved_concurrency
    error_message = "processor.maximum_concurrency is ${var.processor.maximum_concurrency}, and reserved_concurrency is ${var.processor.reserved_concurrency == null ? "null" : var.processor.reserved_concurrency}. The queue would start more invocations than the function may run, and messages that Lambda throttles end up in the dead-letter queue. Lower maximum_concurrency, or raise or omit the reserve."
  }

  validation {
    condition = alltrue([for seconds in values(local.longest_seconds) : seconds < var.processor.timeout_seconds - local.job_timeout_margin_seconds])
    error_message = join(" ", [
      "processor.timeout_seconds is ${var.processor.timeout_seconds}, and the function needs ${local.job_timeout_margin_seconds} seconds beyond the model calls. These job types take too long for it:",
      "${join(", ", [for name, seconds in local.longest_seconds : "${name} (timeout_seconds ${local.job_types[name].timeout_seconds}${seconds == local.job_types[name].timeout_seconds ? "" : ", ${seconds} with the calls that may repair its output"})" if seconds >= var.processor.timeout_seconds - local.job_timeout_margin_seconds])}.",
      "Lower their timeout_seconds (or output.repairs) until they take less than ${var.processor.timeout_seconds - local.job_timeout_margin_seconds}, or raise the function's timeout (${local.limits.processor.timeout_seconds.max} at most).",
    ])
  }

  validation {
    condition     = length(var.processor.layers) <= 5
    error_message = "processor.layers has ${length(var.processor.layers)} layers, and Lambda allows five. Put the code of several into one."
  }

  validation {
    condition     = alltrue([for arn in var.processor.layers : can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])
    error_message = "processor.layers has ${join(", ", [for arn in var.processor.layers : "\"${arn}\"" if !can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])}. Use the ARNs of layer versions (arn:aws:lambda:<region>:<account>:layer:<name>:<version>), such as aws_lambda_layer_version.this.arn."
  }

  validation {
    condition     = length(var.processor.layers) > 0 || alltrue([for type in values(local.job_types) : type.handler == null])
    error_message = "processor.layers is empty, and these job types have a handler: ${join(", ", [for name, type in local.job_types : "${name} (${coalesce(type.handler, "-")})" if type.handler != null])}. Add the version of the layer that has its module."
  }
}

variable "result_handler" {
  description = "The function that writes the results to the table."
  type = object({
    timeout_seconds = optional(number, 30)
    memory_mb       = optional(number, 512)
    # How many results share an invocation.
    batch_size = optional(number, 10)
    # How long Lambda gathers a batch.
    batching_window_seconds = optional(number, 0)
    # At most this many invocations at once.
    maximum_concurrency = optional(number, 10)
    # Concurrent executions that are set aside for this function alone.
    reserved_concurrency = optional(number)
    # false pauses it; results stay in the queue.
    enabled = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.result_handler : [for value in var.result_handler[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.result_handler : [for value in var.result_handler[name][*] : "result_handler.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.result_handler.batch_size <= 10 || var.result_handler.batching_window_seconds >= 1
    error_message = "result_handler.batch_size is ${var.result_handler.batch_size}, and batching_window_seconds is ${var.result_handler.batching_window_seconds}. Lambda requires a window of at least 1 second for a batch of more than 10. Set the window, or use a batch of at most 10."
  }

  validation {
    condition     = var.result_handler.reserved_concurrency == null ? true : var.result_handler.maximum_concurrency <= var.result_handler.reserved_concurrency
    error_message = "result_handler.maximum_concurrency is ${var.result_handler.maximum_concurrency}, and reserved_concurrency is ${var.result_handler.reserved_concurrency == null ? "null" : var.result_handler.reserved_concurrency}. The queue would start more invocations than the function may run, and messages that Lambda throttles end up in the dead-letter queue. Lower maximum_concurrency, or raise or omit the reserve."
  }
}

variable "jobs_api" {
  description = "The function that answers all HTTP requests except `POST /jobs`."
  type = object({
    timeout_seconds = optional(number, 29)
    memory_mb       = optional(number, 1024)
    # Concurrent executions that are set aside for this function alone.
    reserved_concurrency = optional(number)
    # The longest that `GET /jobs/{jobId}?wait=` keeps a caller waiting: each waiting caller occupies one of the account's concurrent
    # Lambda executions. 0 turns waiting off.
    max_wait_seconds = optional(number, 25)
    # How many callers may wait at once, at the cost of two small writes for each; further callers get an immediate answer and ask
    # again. null sets no limit.
    max_concurrent_waits = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.jobs_api : [for value in var.jobs_api[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.jobs_api : [for value in var.jobs_api[name][*] : "jobs_api.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.jobs_api.max_wait_seconds == 0 || var.jobs_api.timeout_seconds >= var.jobs_api.max_wait_seconds + local.wait_margin_seconds
    error_message = "jobs_api.timeout_seconds is ${var.jobs_api.timeout_seconds}, and max_wait_seconds is ${var.jobs_api.max_wait_seconds}. The function needs ${local.wait_margin_seconds} seconds in addition to the wait. Raise the timeout to ${var.jobs_api.max_wait_seconds + local.wait_margin_seconds}, or lower max_wait_seconds."
  }
}

variable "reconciler" {
  description = <<-EOT
    The function that closes jobs that nobody works on anymore: jobs whose message is in a dead-letter queue, and jobs that are still
    open long after their deadline.
  EOT
  type = object({
    # How often it runs: a crashed job shows as failed up to one interval later.
    interval_minutes = optional(number, 5)
    # A run ends by itself before that, and the next one continues.
    timeout_seconds = optional(number, 240)
    # 1769 MB is one full vCPU.
    memory_mb = optional(number, 1769)
    # Concurrent executions that are set aside for this function alone.
    reserved_concurrency = optional(number)
    # false pauses it; such jobs then stay open.
    enabled = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.reconciler : [for value in var.reconciler[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.reconciler : [for value in var.reconciler[name][*] : "reconciler.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }
}

variable "api" {
  description = "The REST API; docs/access.md explains who may do what."
  type = object({
    # `AWS_IAM` (signed requests from principals with `execute-api:Invoke`, whose `userId` is trusted), `NONE`, `COGNITO_USER_POOLS`
    # (tokens from the user pools in `cognito`), or `CUSTOM` (the function in `lambda_authorizer` decides).
    authorization = optional(string, "AWS_IAM")
    # For `COGNITO_USER_POOLS`.
    cognito = optional(object({
      # The user pools whose tokens are accepted.
      user_pool_arns = set(string)
      # With scopes, callers send access tokens that have one of them; without, ID tokens.
      scopes = optional(set(string), [])
    }))
    # For `CUSTOM`.
    lambda_authorizer = optional(object({
      # The function, in this account and region, that decides.
      function_arn = string
      # `TOKEN`: it gets one header; `REQUEST`: the whole request except its body.
      type = optional(string, "TOKEN")
      # The headers that carry the credentials, separated by commas.
      identity_source = optional(string, "method.request.header.Authorization")
      # How long the API caches an answer, by the values of these headers; a cached answer applies to every route.
      result_ttl_seconds = optional(number, 300)
    }))
    # Requires API keys, which are a quota, not authentication.
    usage_plan = optional(object({
      # The API keys by name.
      keys = map(object({
        # null lets API Gateway choose it.
        value = optional(string)
      }))
      # Requests per second of one key.
      rate_limit = optional(number)
      # Requests of one key at once.
      burst_limit = optional(number)
      quota = optional(object({
        # Requests of one key per period.
        limit = number
        # `DAY`, `WEEK`, or `MONTH`.
        period = string
      }))
    }))
    resource_policy = optional(object({
      # The policy. `execute-api:/` at the beginning of a resource stands for this API.
      json = string
    }))
    waf = optional(object({
      # A regional web ACL.
      web_acl_arn = string
    }))
    # You manage its DNS record (outputs `api_domain_target`, `api_domain_zone_id`).
    domain = optional(object({
      name = string
      # A certificate in this region.
      certificate_arn = string
      # null maps the whole domain to the API.
      base_path       = optional(string)
      security_policy = optional(string, "TLS_1_2")
    }))
    # Lets pages in browsers call the API.
    cors = optional(object({
      # `["*"]`, or a list such as `["https://app.example.com"]`.
      allow_origins = list(string)
      # How long a browser caches the answer to a preflight.
      max_age_seconds = optional(number, 3600)
    }))
    # The first part of every path.
    stage_name = optional(string, "v1")
    # Requests per second of all callers together.
    throttling_rate_limit = optional(number, 100)
    # Requests at once.
    throttling_burst_limit = optional(number, 200)
    # Needs the account's API Gateway logging role (`aws_api_gateway_account`), of which there is one per account and region.
    access_logs = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(flatten(values(local.contract.authorization_modes)), var.api.authorization)
    error_message = "api.authorization is \"${var.api.authorization}\". Use one of ${join(", ", flatten(values(local.contract.authorization_modes)))}."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.api.stage_name))
    error_message = "api.stage_name is \"${var.api.stage_name}\". Use 1 to 128 letters, digits, hyphens, and underscores."
  }

  validation {
    condition     = var.api.throttling_rate_limit > 0
    error_message = "api.throttling_rate_limit is ${var.api.throttling_rate_limit}. Use more than 0 requests per second; with 0 the API would reject every request."
  }

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.api : [for value in var.api[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.api : [for value in var.api[name][*] : "api.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }
}

variable "events" {
  description = "Events for every job that ends (docs/events.md)."
  type = object({
    # false omits the function, its trigger, and the stream; if events are turned on later, they cover the jobs that end from then on.
    enabled = optional(bool, true)
    # null means the account's default EventBridge bus.
    event_bus = optional(object({ arn = string }))
    # Adds results and error messages to the events.
    include_result = optional(bool, false)
    # How many batches of each shard of the table's stream are published at once; the events of one job are still published in order.
    # One batch at a time publishes about 1,000 events per second and shard (docs/scaling.md#events).
    parallelization_factor = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.events : [for value in var.events[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.events : [for value in var.events[name][*] : "events.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.events.event_bus == null ? true : can(regex("^arn:[^:]+:events:[^:]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$", var.events.event_bus.arn))
    error_message = "events.event_bus.arn is \"${try(var.events.event_bus.arn, "-")}\". Use the ARN of an event bus (arn:aws:events:<region>:<account>:event-bus/<name>), or omit event_bus for the default bus."
  }
}

variable "table" {
  description = "The jobs table."
  type = object({
    # Before the environment can be destroyed, it must be turned off and the change applied; until then, `terraform destroy` refuses
    # before it destroys anything in the module.
    deletion_protection = optional(bool, true)
    # Keeps 35 days of continuous backups.
    point_in_time_recovery = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "bucket" {
  description = "The bucket of large inputs and results."
  type = object({
    # Lets `terraform destroy` delete it with its contents; before the environment can be destroyed, it must be turned on and the change
    # applied.
    force_destroy = optional(bool, false)
  })
  default  = {}
  nullable = false
}

