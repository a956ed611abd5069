# ---------------------------------------------------------------------------------------------------
# Names, tags, packages
# ---------------------------------------------------------------------------------------------------

variable "name" {
  description = "First part of every name, and the tag Application."
  type        = string
  default     = "bayon-coagent"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name))
    error_message = "name is \"${var.name}\": use lower-case letters, digits and single hyphens, starting with a letter."
  }

  validation {
    condition = alltrue([for rule in values(local.name_rules) : length("${var.name}${rule.suffix}") <= rule.limit])
    error_message = join(" ", [
      "Names that would be too long:",
      "${join(", ", [for rule in values(local.name_rules) : "${var.name}${rule.suffix} (${rule.kind}: ${length("${var.name}${rule.suffix}")} characters, at most ${rule.limit})" if length("${var.name}${rule.suffix}") > rule.limit])}.",
      "Shorten name (\"${var.name}\") or environment (\"${var.environment}\").",
    ])
  }
}

variable "environment" {
  description = "Last part of every name, and the tag Environment, e.g. production."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.environment))
    error_message = "environment is \"${var.environment}\": use lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "tags" {
  description = "Tags for every resource, besides Environment, Application and Service. A tag of the same name given here wins."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(distinct([for key in keys(merge(local.own_tags, var.tags)) : lower(key)])) == length(merge(local.own_tags, var.tags))
    error_message = "tags has keys that differ only in upper and lower case, among ${join(", ", keys(merge(local.own_tags, var.tags)))}: IAM refuses them. Environment, Application and Service are set by the module; use the same spelling to replace one."
  }
}

variable "packages" {
  description = <<-EOT
    Where the zips of `make package` are (processor.zip, result_handler.zip, jobs_api.zip, reconciler.zip, event_publisher.zip):
    either a local directory, or a bucket in the same region. versions holds the S3 object version of each zip by processor,
    result_handler, jobs_api, reconciler and event_publisher: without them a new zip under the same key is not noticed.
  EOT
  type = object({
    directory = optional(string)
    s3 = optional(object({
      bucket   = string
      prefix   = optional(string, "")
      versions = optional(map(string), {})
    }))
  })
  nullable = false

  validation {
    condition     = (var.packages.directory == null) != (var.packages.s3 == null)
    error_message = "packages has ${var.packages.directory == null ? "neither directory nor s3" : "both directory (${var.packages.directory}) and s3"}: give exactly one of them."
  }

  validation {
    condition     = length(setsubtract(try(keys(var.packages.s3.versions), []), ["processor", "result_handler", "jobs_api", "reconciler", "event_publisher"])) == 0
    error_message = "packages.s3.versions has the keys ${join(", ", try(keys(var.packages.s3.versions), []))}: allowed are processor, result_handler, jobs_api, reconciler and event_publisher."
  }
}

# ---------------------------------------------------------------------------------------------------
# Security
# ---------------------------------------------------------------------------------------------------

variable "require_tls" {
  description = "Deny calls to the queues and the bucket over plain HTTP. Turn it off only for a local emulator without TLS."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key for the queues, the table and the bucket; null means SSE-SQS, the AWS managed key and SSE-S3. Its key policy must let the functions' roles use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is \"${coalesce(var.kms_key_arn, "-")}\": give the ARN of a key (arn:aws:kms:<region>:<account>:key/<id>), not its id or alias: it is also named in IAM policies."
  }
}

variable "vpc" {
  description = <<-EOT
    Runs every function in these subnets, with these security groups, which must let out TCP 443; null runs them outside any VPC. The subnets
    need a NAT gateway, or the VPC endpoints that docs/how-it-works.md lists: without a way to SQS, DynamoDB and Bedrock no job ends.
  EOT
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) >= 1 && length(var.vpc.subnet_ids) <= 16 && alltrue([for id in var.vpc.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "vpc.subnet_ids is ${var.vpc == null ? "null" : jsonencode(var.vpc.subnet_ids)}: give 1 to 16 ids such as subnet-0a1b2c3d, best of several availability zones."
  }

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.security_group_ids) >= 1 && length(var.vpc.security_group_ids) <= 5 && alltrue([for id in var.vpc.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))])
    error_message = "vpc.security_group_ids is ${var.vpc == null ? "null" : jsonencode(var.vpc.security_group_ids)}: give 1 to 5 ids such as sg-0a1b2c3d. They must let out TCP 443."
  }
}

variable "iam" {
  description = "Path and permissions boundary of every role. Under a path other than / the roles' names end with a mark of it: a role can't change its path, and the new one is made before the old one is gone."
  type = object({
    role_path                = optional(string, "/")
    permissions_boundary_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.iam.role_path))
    error_message = "iam.role_path is \"${var.iam.role_path}\": it must begin and end with a slash, e.g. /platform/."
  }

  validation {
    condition     = var.iam.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/.+$", var.iam.permissions_boundary_arn))
    error_message = "iam.permissions_boundary_arn is \"${coalesce(var.iam.permissions_boundary_arn, "-")}\": give the ARN of a managed policy (arn:aws:iam::<account>:policy/<name>)."
  }
}

# ---------------------------------------------------------------------------------------------------
# Queues
#
# AWS recommends a visibility timeout of six times the function's timeout plus the batching window.
# That is not enforced, and the default is one time: the clock starts at the poll, but the processor's
# first act on a message is to set its visibility to the whole timeout again, and it stops a margin
# before its own end. What is enforced is what Lambda itself refuses.
# ---------------------------------------------------------------------------------------------------

variable "request_queue" {
  description = "The queue of jobs and its dead-letter queue."
  type = object({
    visibility_timeout_seconds    = optional(number, 900)
    message_retention_seconds     = optional(number, 1209600)
    dlq_message_retention_seconds = optional(number, 1209600)
    receive_wait_time_seconds     = optional(number, 20)
    max_receive_count             = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.request_queue.visibility_timeout_seconds >= 0 && var.request_queue.visibility_timeout_seconds <= 43200 && floor(var.request_queue.visibility_timeout_seconds) == var.request_queue.visibility_timeout_seconds
    error_message = "request_queue.visibility_timeout_seconds is ${var.request_queue.visibility_timeout_seconds}: SQS takes whole seconds from 0 to 43200 (12 hours)."
  }

  validation {
    condition     = var.request_queue.visibility_timeout_seconds >= var.processor.timeout_seconds
    error_message = "request_queue.visibility_timeout_seconds is ${var.request_queue.visibility_timeout_seconds}, processor.timeout_seconds is ${var.processor.timeout_seconds}: Lambda refuses a queue whose messages come back while the function still works on them. Raise the visibility timeout to ${var.processor.timeout_seconds} or more, or lower the function's timeout."
  }

  validation {
    condition     = var.request_queue.message_retention_seconds >= 60 && var.request_queue.message_retention_seconds <= 1209600 && floor(var.request_queue.message_retention_seconds) == var.request_queue.message_retention_seconds
    error_message = "request_queue.message_retention_seconds is ${var.request_queue.message_retention_seconds}: SQS takes whole seconds from 60 to 1209600 (14 days)."
  }

  validation {
    condition     = var.request_queue.dlq_message_retention_seconds >= 60 && var.request_queue.dlq_message_retention_seconds <= 1209600 && floor(var.request_queue.dlq_message_retention_seconds) == var.request_queue.dlq_message_retention_seconds
    error_message = "request_queue.dlq_message_retention_seconds is ${var.request_queue.dlq_message_retention_seconds}: SQS takes whole seconds from 60 to 1209600 (14 days)."
  }

  validation {
    condition     = var.request_queue.dlq_message_retention_seconds >= var.request_queue.message_retention_seconds
    error_message = "request_queue.dlq_message_retention_seconds is ${var.request_queue.dlq_message_retention_seconds}, message_retention_seconds is ${var.request_queue.message_retention_seconds}: a dead-lettered message keeps the time it was first sent, so it could expire on arrival. Give the dead-letter queue at least the retention of its queue."
  }

  validation {
    condition     = var.request_queue.receive_wait_time_seconds >= 0 && var.request_queue.receive_wait_time_seconds <= 20 && floor(var.request_queue.receive_wait_time_seconds) == var.request_queue.receive_wait_time_seconds
    error_message = "request_queue.receive_wait_time_seconds is ${var.request_queue.receive_wait_time_seconds}: SQS takes whole seconds from 0 to 20."
  }

  validation {
    condition     = var.request_queue.max_receive_count >= 1 && var.request_queue.max_receive_count <= 1000 && floor(var.request_queue.max_receive_count) == var.request_queue.max_receive_count
    error_message = "request_queue.max_receive_count is ${var.request_queue.max_receive_count}: SQS takes a whole number from 1 to 1000."
  }
}

variable "response_queue" {
  description = "The queue of results and its dead-letter queue."
  type = object({
    visibility_timeout_seconds    = optional(number, 300)
    message_retention_seconds     = optional(number, 1209600)
    dlq_message_retention_seconds = optional(number, 1209600)
    receive_wait_time_seconds     = optional(number, 20)
    max_receive_count             = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.response_queue.visibility_timeout_seconds >= 0 && var.response_queue.visibility_timeout_seconds <= 43200 && floor(var.response_queue.visibility_timeout_seconds) == var.response_queue.visibility_timeout_seconds
    error_message = "response_queue.visibility_timeout_seconds is ${var.response_queue.visibility_timeout_seconds}: SQS takes whole seconds from 0 to 43200 (12 hours)."
  }

  validation {
    condition     = var.response_queue.visibility_timeout_seconds >= var.result_handler.timeout_seconds
    error_message = "response_queue.visibility_timeout_seconds is ${var.response_queue.visibility_timeout_seconds}, result_handler.timeout_seconds is ${var.result_handler.timeout_seconds}: Lambda refuses a queue whose messages come back while the function still works on them. Raise the visibility timeout to ${var.result_handler.timeout_seconds} or more, or lower the function's timeout."
  }

  validation {
    condition     = var.response_queue.message_retention_seconds >= 60 && var.response_queue.message_retention_seconds <= 1209600 && floor(var.response_queue.message_retention_seconds) == var.response_queue.message_retention_seconds
    error_message = "response_queue.message_retention_seconds is ${var.response_queue.message_retention_seconds}: SQS takes whole seconds from 60 to 1209600 (14 days)."
  }

  validation {
    condition     = var.response_queue.dlq_message_retention_seconds >= 60 && var.response_queue.dlq_message_retention_seconds <= 1209600 && floor(var.response_queue.dlq_message_retention_seconds) == var.response_queue.dlq_message_retention_seconds
    error_message = "response_queue.dlq_message_retention_seconds is ${var.response_queue.dlq_message_retention_seconds}: SQS takes whole seconds from 60 to 1209600 (14 days)."
  }

  validation {
    condition     = var.response_queue.dlq_message_retention_seconds >= var.response_queue.message_retention_seconds
    error_message = "response_queue.dlq_message_retention_seconds is ${var.response_queue.dlq_message_retention_seconds}, message_retention_seconds is ${var.response_queue.message_retention_seconds}: a dead-lettered message keeps the time it was first sent, so it could expire on arrival. Give the dead-letter queue at least the retention of its queue."
  }

  validation {
    condition     = var.response_queue.receive_wait_time_seconds >= 0 && var.response_queue.receive_wait_time_seconds <= 20 && floor(var.response_queue.receive_wait_time_seconds) == var.response_queue.receive_wait_time_seconds
    error_message = "response_queue.receive_wait_time_seconds is ${var.response_queue.receive_wait_time_seconds}: SQS takes whole seconds from 0 to 20."
  }

  validation {
    condition     = var.response_queue.max_receive_count >= 1 && var.response_queue.max_receive_count <= 1000 && floor(var.response_queue.max_receive_count) == var.response_queue.max_receive_count
    error_message = "response_queue.max_receive_count is ${var.response_queue.max_receive_count}: SQS takes a whole number from 1 to 1000."
  }
}

# ---------------------------------------------------------------------------------------------------
# Functions
# ---------------------------------------------------------------------------------------------------

variable "processor" {
  description = <<-EOT
    The function that works on the jobs. maximum_concurrency (times batch_size) is how many model calls run at once: it protects
    the model's quota. 3008 MB is the most that a new AWS account allows. enabled = false pauses the work; jobs stay in the queue.
    With any batching_window_seconds, Lambda may take up to 20 s to pick up a job from a quiet queue; 0 avoids that.
  EOT
  type = object({
    timeout_seconds         = optional(number, 900)
    memory_mb               = optional(number, 3008)
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 5)
    maximum_concurrency     = optional(number, 10)
    reserved_concurrency    = optional(number)
    enabled                 = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.processor.timeout_seconds >= 1 && var.processor.timeout_seconds <= 900 && floor(var.processor.timeout_seconds) == var.processor.timeout_seconds
    error_message = "processor.timeout_seconds is ${var.processor.timeout_seconds}: Lambda takes whole seconds from 1 to 900."
  }

  validation {
    condition     = var.processor.memory_mb >= 128 && var.processor.memory_mb <= 10240 && floor(var.processor.memory_mb) == var.processor.memory_mb
    error_message = "processor.memory_mb is ${var.processor.memory_mb}: Lambda takes whole megabytes from 128 to 10240 (to 3008 in a new account)."
  }

  validation {
    condition     = var.processor.batch_size >= 1 && var.processor.batch_size <= 10000 && floor(var.processor.batch_size) == var.processor.batch_size
    error_message = "processor.batch_size is ${var.processor.batch_size}: Lambda takes a whole number from 1 to 10000."
  }

  validation {
    condition     = var.processor.batching_window_seconds >= 0 && var.processor.batching_window_seconds <= 300 && floor(var.processor.batching_window_seconds) == var.processor.batching_window_seconds
    error_message = "processor.batching_window_seconds is ${var.processor.batching_window_seconds}: Lambda takes whole seconds from 0 to 300."
  }

  validation {
    condition     = var.processor.batch_size <= 10 || var.processor.batching_window_seconds >= 1
    error_message = "processor.batch_size is ${var.processor.batch_size} with a batching_window_seconds of ${var.processor.batching_window_seconds}: Lambda wants a window of at least 1 second for a batch of more than 10. Set the window, or a batch of at most 10."
  }

  validation {
    condition     = var.processor.maximum_concurrency >= 2 && var.processor.maximum_concurrency <= 1000 && floor(var.processor.maximum_concurrency) == var.processor.maximum_concurrency
    error_message = "processor.maximum_concurrency is ${var.processor.maximum_concurrency}: Lambda takes a whole number from 2 to 1000."
  }

  validation {
    condition     = var.processor.reserved_concurrency == null ? true : var.processor.reserved_concurrency >= 1 && floor(var.processor.reserved_concurrency) == var.processor.reserved_concurrency
    error_message = "processor.reserved_concurrency is ${var.processor.reserved_concurrency == null ? "null" : var.processor.reserved_concurrency}: give a whole number from 1, or null. To stop the function use enabled = false: a reserve of 0 sends what is received to the dead-letter queue."
  }

  validation {
    condition     = var.processor.reserved_concurrency == null ? true : var.processor.maximum_concurrency <= var.processor.reserved_concurrency
    error_message = "processor.maximum_concurrency is ${var.processor.maximum_concurrency}, reserved_concurrency is ${var.processor.reserved_concurrency == null ? "null" : var.processor.reserved_concurrency}: the queue would start more than the function may run, and what Lambda throttles ends in the dead-letter queue. Lower maximum_concurrency, or raise the reserve or leave it out."
  }

  validation {
    condition = alltrue([for type in values(local.job_types) : type.timeout_seconds < var.processor.timeout_seconds - local.job_timeout_margin_seconds])
    error_message = join(" ", [
      "processor.timeout_seconds is ${var.processor.timeout_seconds}, and it needs ${local.job_timeout_margin_seconds} seconds more than the model call. Too long for it:",
      "${join(", ", [for name, type in local.job_types : "${name} (timeout_seconds ${type.timeout_seconds})" if type.timeout_seconds >= var.processor.timeout_seconds - local.job_timeout_margin_seconds])}.",
      "Lower timeout_seconds of those job types below ${var.processor.timeout_seconds - local.job_timeout_margin_seconds}, or raise the function's timeout (900 at most).",
    ])
  }
}

variable "result_handler" {
  description = "The function that writes the results to the table."
  type = object({
    timeout_seconds         = optional(number, 30)
    memory_mb               = optional(number, 512)
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 0)
    maximum_concurrency     = optional(number, 10)
    reserved_concurrency    = optional(number)
    enabled                 = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.result_handler.timeout_seconds >= 1 && var.result_handler.timeout_seconds <= 900 && floor(var.result_handler.timeout_seconds) == var.result_handler.timeout_seconds
    error_message = "result_handler.timeout_seconds is ${var.result_handler.timeout_seconds}: Lambda takes whole seconds from 1 to 900."
  }

  validation {
    condition     = var.result_handler.memory_mb >= 128 && var.result_handler.memory_mb <= 10240 && floor(var.result_handler.memory_mb) == var.result_handler.memory_mb
    error_message = "result_handler.memory_mb is ${var.result_handler.memory_mb}: Lambda takes whole megabytes from 128 to 10240 (to 3008 in a new account)."
  }

  validation {
    condition     = var.result_handler.batch_size >= 1 && var.result_handler.batch_size <= 10000 && floor(var.result_handler.batch_size) == var.result_handler.batch_size
    error_message = "result_handler.batch_size is ${var.result_handler.batch_size}: Lambda takes a whole number from 1 to 10000."
  }

  validation {
    condition     = var.result_handler.batching_window_seconds >= 0 && var.result_handler.batching_window_seconds <= 300 && floor(var.result_handler.batching_window_seconds) == var.result_handler.batching_window_seconds
    error_message = "result_handler.batching_window_seconds is ${var.result_handler.batching_window_seconds}: Lambda takes whole seconds from 0 to 300."
  }

  validation {
    condition     = var.result_handler.batch_size <= 10 || var.result_handler.batching_window_seconds >= 1
    error_message = "result_handler.batch_size is ${var.result_handler.batch_size} with a batching_window_seconds of ${var.result_handler.batching_window_seconds}: Lambda wants a window of at least 1 second for a batch of more than 10. Set the window, or a batch of at most 10."
  }

  validation {
    condition     = var.result_handler.maximum_concurrency >= 2 && var.result_handler.maximum_concurrency <= 1000 && floor(var.result_handler.maximum_concurrency) == var.result_handler.maximum_concurrency
    error_message = "result_handler.maximum_concurrency is ${var.result_handler.maximum_concurrency}: Lambda takes a whole number from 2 to 1000."
  }

  validation {
    condition     = var.result_handler.reserved_concurrency == null ? true : var.result_handler.reserved_concurrency >= 1 && floor(var.result_handler.reserved_concurrency) == var.result_handler.reserved_concurrency
    error_message = "result_handler.reserved_concurrency is ${var.result_handler.reserved_concurrency == null ? "null" : var.result_handler.reserved_concurrency}: give a whole number from 1, or null. To stop the function use enabled = false: a reserve of 0 sends what is received to the dead-letter queue."
  }

  validation {
    condition     = var.result_handler.reserved_concurrency == null ? true : var.result_handler.maximum_concurrency <= var.result_handler.reserved_concurrency
    error_message = "result_handler.maximum_concurrency is ${var.result_handler.maximum_concurrency}, reserved_concurrency is ${var.result_handler.reserved_concurrency == null ? "null" : var.result_handler.reserved_concurrency}: the queue would start more than the function may run, and what Lambda throttles ends in the dead-letter queue. Lower maximum_concurrency, or raise the reserve or leave it out."
  }
}

variable "jobs_api" {
  description = <<-EOT
    The function that answers the HTTP requests, but for POST /jobs. max_wait_seconds is the longest that GET /jobs/{jobId}?wait=
    keeps a caller waiting: each waiter holds one of the account's concurrent Lambda executions. 0 turns waiting off.
    max_concurrent_waits limits how many wait at once, at the price of two small writes for each; callers beyond it are answered
    at once and ask again. null sets no limit.
  EOT
  type = object({
    timeout_seconds      = optional(number, 29)
    memory_mb            = optional(number, 1024)
    reserved_concurrency = optional(number)
    max_wait_seconds     = optional(number, 25)
    max_concurrent_waits = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.jobs_api.timeout_seconds >= 1 && var.jobs_api.timeout_seconds <= 29 && floor(var.jobs_api.timeout_seconds) == var.jobs_api.timeout_seconds
    error_message = "jobs_api.timeout_seconds is ${var.jobs_api.timeout_seconds}: give whole seconds from 1 to 29; API Gateway does not wait longer."
  }

  validation {
    condition     = var.jobs_api.max_wait_seconds >= 0 && var.jobs_api.max_wait_seconds <= 25 && floor(var.jobs_api.max_wait_seconds) == var.jobs_api.max_wait_seconds
    error_message = "jobs_api.max_wait_seconds is ${var.jobs_api.max_wait_seconds}: give whole seconds from 0 (no waiting) to 25; API Gateway gives up after 29."
  }

  validation {
    condition     = var.jobs_api.max_wait_seconds == 0 || var.jobs_api.timeout_seconds >= var.jobs_api.max_wait_seconds + 4
    error_message = "jobs_api.timeout_seconds is ${var.jobs_api.timeout_seconds}, max_wait_seconds is ${var.jobs_api.max_wait_seconds}: the function needs 4 seconds beside the wait. Raise the timeout to ${var.jobs_api.max_wait_seconds + 4}, or lower max_wait_seconds."
  }

  validation {
    condition     = var.jobs_api.max_concurrent_waits == null ? true : var.jobs_api.max_concurrent_waits >= 1 && var.jobs_api.max_concurrent_waits <= 10000 && floor(var.jobs_api.max_concurrent_waits) == var.jobs_api.max_concurrent_waits
    error_message = "jobs_api.max_concurrent_waits is ${var.jobs_api.max_concurrent_waits == null ? "null" : var.jobs_api.max_concurrent_waits}: give a whole number from 1 to 10000, or null for no limit. To turn waiting off, set max_wait_seconds = 0."
  }

  validation {
    condition     = var.jobs_api.memory_mb >= 128 && var.jobs_api.memory_mb <= 10240 && floor(var.jobs_api.memory_mb) == var.jobs_api.memory_mb
    error_message = "jobs_api.memory_mb is ${var.jobs_api.memory_mb}: Lambda takes whole megabytes from 128 to 10240 (to 3008 in a new account)."
  }

  validation {
    condition     = var.jobs_api.reserved_concurrency == null ? true : var.jobs_api.reserved_concurrency >= 1 && floor(var.jobs_api.reserved_concurrency) == var.jobs_api.reserved_concurrency
    error_message = "jobs_api.reserved_concurrency is ${var.jobs_api.reserved_concurrency == null ? "null" : var.jobs_api.reserved_concurrency}: give a whole number from 1, or null."
  }
}

variable "reconciler" {
  description = <<-EOT
    The function that closes what nobody works on any more, every interval_minutes: jobs whose message is in a dead-letter queue,
    and jobs that are open long after their deadline. enabled = false pauses it; such jobs then stay open. A run ends by itself
    before timeout_seconds, and the next one goes on; 1769 MB is one whole processor.
  EOT
  type = object({
    interval_minutes     = optional(number, 5)
    timeout_seconds      = optional(number, 240)
    memory_mb            = optional(number, 1769)
    reserved_concurrency = optional(number)
    enabled              = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.reconciler.interval_minutes >= 1 && var.reconciler.interval_minutes <= 60 && floor(var.reconciler.interval_minutes) == var.reconciler.interval_minutes
    error_message = "reconciler.interval_minutes is ${var.reconciler.interval_minutes}: give whole minutes from 1 to 60; a job that crashed is shown as failed that much later."
  }

  validation {
    condition     = var.reconciler.timeout_seconds >= 30 && var.reconciler.timeout_seconds <= 900 && floor(var.reconciler.timeout_seconds) == var.reconciler.timeout_seconds
    error_message = "reconciler.timeout_seconds is ${var.reconciler.timeout_seconds}: give whole seconds from 30, since it stops 15 seconds before its end, to 900."
  }

  validation {
    condition     = var.reconciler.memory_mb >= 128 && var.reconciler.memory_mb <= 10240 && floor(var.reconciler.memory_mb) == var.reconciler.memory_mb
    error_message = "reconciler.memory_mb is ${var.reconciler.memory_mb}: Lambda takes whole megabytes from 128 to 10240 (to 3008 in a new account)."
  }

  validation {
    condition     = var.reconciler.reserved_concurrency == null ? true : var.reconciler.reserved_concurrency >= 1 && floor(var.reconciler.reserved_concurrency) == var.reconciler.reserved_concurrency
    error_message = "reconciler.reserved_concurrency is ${var.reconciler.reserved_concurrency == null ? "null" : var.reconciler.reserved_concurrency}: give a whole number from 1, or null."
  }
}

variable "logs" {
  description = "Level of the functions' logs, how long all logs are kept, and whether Logs Insights gets saved queries (by job, by user, slowest jobs, failures by code)."
  type = object({
    level          = optional(string, "INFO")
    retention_days = optional(number, 30)
    saved_queries  = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.logs.level)
    error_message = "logs.level is \"${var.logs.level}\": use DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.logs.retention_days)
    error_message = "logs.retention_days is ${var.logs.retention_days}: CloudWatch Logs takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "alarms" {
  description = <<-EOT
    Who is told, and when. Every change of an alarm goes to topic_arns, or to a topic of the module's own; the composite alarm
    service-unhealthy, which stands for an outage as a whole, goes to page_topic_arns, or to a second topic of its own: connect
    your pager there. The e-mail addresses are subscribed to the module's own topics. topic_kms_key_arn encrypts these; the key's
    policy must let cloudwatch.amazonaws.com use it. runbook_url is where the descriptions of the alarms point.
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
    condition     = alltrue([for arn in concat(var.alarms.topic_arns, var.alarms.page_topic_arns) : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "alarms has the topics ${join(", ", concat(var.alarms.topic_arns, var.alarms.page_topic_arns))}: give ARNs of standard SNS topics (arn:aws:sns:<region>:<account>:<name>); CloudWatch notifies no FIFO topic."
  }

  validation {
    condition     = length(var.alarms.email_addresses) == 0 || length(var.alarms.topic_arns) == 0
    error_message = "alarms.email_addresses are subscribed to the module's own topic, but topic_arns names ${join(", ", var.alarms.topic_arns)} instead: subscribe ${join(", ", var.alarms.email_addresses)} there, or leave out one of the two."
  }

  validation {
    condition     = length(var.alarms.page_email_addresses) == 0 || length(var.alarms.page_topic_arns) == 0
    error_message = "alarms.page_email_addresses are subscribed to the module's own topic, but page_topic_arns names ${join(", ", var.alarms.page_topic_arns)} instead: subscribe ${join(", ", var.alarms.page_email_addresses)} there, or leave out one of the two."
  }

  validation {
    condition     = alltrue([for address in setunion(var.alarms.email_addresses, var.alarms.page_email_addresses) : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alarms has the e-mail addresses ${join(", ", setunion(var.alarms.email_addresses, var.alarms.page_email_addresses))}: each must be of the form name@example.com."
  }

  validation {
    condition     = var.alarms.topic_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.alarms.topic_kms_key_arn))
    error_message = "alarms.topic_kms_key_arn is \"${coalesce(var.alarms.topic_kms_key_arn, "-")}\": give the ARN of a customer key (arn:aws:kms:<region>:<account>:key/<id>) that lets cloudwatch.amazonaws.com use it; with alias/aws/sns the alarms would be silent."
  }

  validation {
    condition = alltrue([
      for name in ["request_queue_depth", "oldest_message_age_seconds", "waiting_jobs", "failed_jobs_percent", "oldest_open_job_seconds", "function_errors", "api_error_percent", "api_latency_ms", "table_throttles", "event_delay_seconds"] :
      var.alarms.thresholds[name] >= 0
    ])
    error_message = "alarms.thresholds has a negative value in ${jsonencode(var.alarms.thresholds)}: what is counted is never below 0, so such an alarm would never be silent. Give 0 or more."
  }

  validation {
    condition     = var.alarms.thresholds.processing_rate_jobs_per_minute > 0
    error_message = "alarms.thresholds.processing_rate_jobs_per_minute is ${var.alarms.thresholds.processing_rate_jobs_per_minute}: give more than 0, or a service that stands still would be fast enough."
  }

  validation {
    condition     = var.alarms.thresholds.failed_jobs_minimum >= 1
    error_message = "alarms.thresholds.failed_jobs_minimum is ${var.alarms.thresholds.failed_jobs_minimum}: give at least 1, the number of failed jobs below which their share says nothing."
  }

  validation {
    condition = alltrue([
      for name in ["failed_jobs_percent", "duration_percent", "concurrency_percent", "api_error_percent"] :
      var.alarms.thresholds[name] <= 100
    ]) && var.alarms.thresholds.duration_percent > 0 && var.alarms.thresholds.concurrency_percent > 0
    error_message = "alarms.thresholds has a percentage out of range in ${jsonencode(var.alarms.thresholds)}: duration_percent and concurrency_percent go from more than 0 to 100, failed_jobs_percent and api_error_percent from 0 to 100."
  }
}

# ---------------------------------------------------------------------------------------------------
# API, table, jobs
# ---------------------------------------------------------------------------------------------------

variable "api" {
  description = <<-EOT
    The REST API; docs/access.md explains who may do what. authorization is AWS_IAM (signed requests of principals with
    execute-api:Invoke, which are trusted with userId), NONE, COGNITO_USER_POOLS (tokens of the user pools in cognito; with scopes
    access tokens, else ID tokens) or CUSTOM (the function in lambda_authorizer decides). usage_plan asks for API keys: quota, not
    authentication. In the JSON of resource_policy, execute-api:/ at the beginning of a resource stands for this API. waf is a
    regional web ACL. domain wants a certificate in this region; its DNS record is yours (outputs api_domain_target,
    api_domain_zone_id). cors names the origins whose pages may call from a browser, ["*"] or a list such as
    ["https://app.example.com"], and how long a browser keeps the answer to a preflight. access_logs needs the account's API
    Gateway logging role (aws_api_gateway_account), of which there is one per account and region.
  EOT
  type = object({
    authorization = optional(string, "AWS_IAM")
    cognito = optional(object({
      user_pool_arns = set(string)
      scopes         = optional(set(string), [])
    }))
    lambda_authorizer = optional(object({
      function_arn       = string
      type               = optional(string, "TOKEN")
      identity_source    = optional(string, "method.request.header.Authorization")
      result_ttl_seconds = optional(number, 300)
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
      security_policy = optional(string, "TLS_1_2")
    }))
    cors = optional(object({
      allow_origins   = list(string)
      max_age_seconds = optional(number, 3600)
    }))
    stage_name             = optional(string, "v1")
    throttling_rate_limit  = optional(number, 100)
    throttling_burst_limit = optional(number, 200)
    access_logs            = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["AWS_IAM", "NONE", "COGNITO_USER_POOLS", "CUSTOM"], var.api.authorization)
    error_message = "api.authorization is \"${var.api.authorization}\": use AWS_IAM, NONE, COGNITO_USER_POOLS or CUSTOM."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.api.stage_name))
    error_message = "api.stage_name is \"${var.api.stage_name}\": use 1 to 128 letters, digits, hyphens and underscores."
  }

  validation {
    condition     = var.api.throttling_rate_limit > 0
    error_message = "api.throttling_rate_limit is ${var.api.throttling_rate_limit}: give more than 0 requests a second; with 0 the API refuses everything."
  }

  validation {
    condition     = var.api.throttling_burst_limit >= 1 && floor(var.api.throttling_burst_limit) == var.api.throttling_burst_limit
    error_message = "api.throttling_burst_limit is ${var.api.throttling_burst_limit}: give a whole number from 1; with 0 the API refuses everything."
  }
}

variable "events" {
  description = <<-EOT
    Events of every job that ends (docs/events.md), on the account's default EventBridge bus or on the one of event_bus.
    include_result adds results and error messages to them. enabled = false does without the function, its trigger and the
    table's stream; turned on later, it tells of the jobs that end from then on.
  EOT
  type = object({
    enabled        = optional(bool, true)
    event_bus      = optional(object({ arn = string }))
    include_result = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.events.event_bus == null ? true : can(regex("^arn:[^:]+:events:[^:]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$", var.events.event_bus.arn))
    error_message = "events.event_bus.arn is \"${try(var.events.event_bus.arn, "-")}\": give the ARN of an event bus (arn:aws:events:<region>:<account>:event-bus/<name>), or leave event_bus out for the default bus."
  }
}

variable "table" {
  description = "The jobs table. deletion_protection must be turned off, and applied, before the environment can be destroyed; until then terraform destroy refuses before it destroys anything."
  type = object({
    deletion_protection    = optional(bool, true)
    point_in_time_recovery = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "bucket" {
  description = "The bucket of large inputs and results. force_destroy lets terraform destroy delete it with what is in it; it must be turned on, and applied, before the environment can be destroyed."
  type = object({
    force_destroy = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "jobs" {
  description = <<-EOT
    Rules for all jobs: how long a finished job can be read, the deadline of a job that brings none, the longest wait between two
    tries when the model throttles, how long a job waits for a model that denies access, and how old a function's copy of the
    job types may get.
  EOT
  type = object({
    retention_days           = optional(number, 30)
    default_deadline_seconds = optional(number, 21600)
    max_backoff_seconds      = optional(number, 900)
    # A new permission or Marketplace agreement takes seconds to minutes; a job that it is denied for longer fails.
    model_access_wait_seconds = optional(number, 600)
    config_max_age_seconds    = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.jobs.retention_days >= 1 && var.jobs.retention_days <= 3650 && floor(var.jobs.retention_days) == var.jobs.retention_days
    error_message = "jobs.retention_days is ${var.jobs.retention_days}: give whole days from 1 to 3650 (ten years), the most that the functions take."
  }

  validation {
    condition     = var.jobs.default_deadline_seconds >= 1 && var.jobs.default_deadline_seconds <= 1209600 && floor(var.jobs.default_deadline_seconds) == var.jobs.default_deadline_seconds
    error_message = "jobs.default_deadline_seconds is ${var.jobs.default_deadline_seconds}: give whole seconds from 1 to 1209600 (14 days), the longest that a queue keeps a job."
  }

  validation {
    condition     = var.jobs.max_backoff_seconds >= 1 && var.jobs.max_backoff_seconds <= 900 && floor(var.jobs.max_backoff_seconds) == var.jobs.max_backoff_seconds
    error_message = "jobs.max_backoff_seconds is ${var.jobs.max_backoff_seconds}: give whole seconds from 1 to 900, the longest that SQS delays a message."
  }

  validation {
    condition     = var.jobs.model_access_wait_seconds >= 0 && var.jobs.model_access_wait_seconds <= 3600 && floor(var.jobs.model_access_wait_seconds) == var.jobs.model_access_wait_seconds
    error_message = "jobs.model_access_wait_seconds is ${var.jobs.model_access_wait_seconds}: give whole seconds from 0 (a denial fails the job at once) to 3600."
  }

  validation {
    condition     = var.jobs.config_max_age_seconds >= 15 && var.jobs.config_max_age_seconds <= 3600 && floor(var.jobs.config_max_age_seconds) == var.jobs.config_max_age_seconds
    error_message = "jobs.config_max_age_seconds is ${var.jobs.config_max_age_seconds}: give whole seconds from 15, the shortest poll interval of AppConfig, to 3600."
  }
}

variable "budget" {
  description = <<-EOT
    How many tokens (input and output) the jobs of one UTC day may use, per user and in total; null means no limit, and costs
    nothing. Running jobs count with their max_tokens. A job over the budget waits as a throttled one does: until its deadline.
  EOT
  type = object({
    daily_tokens_per_user = optional(number)
    daily_tokens_total    = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.budget.daily_tokens_per_user == null ? true : var.budget.daily_tokens_per_user >= 1 && var.budget.daily_tokens_per_user <= 1000000000000000 && floor(var.budget.daily_tokens_per_user) == var.budget.daily_tokens_per_user
    error_message = "budget.daily_tokens_per_user is ${var.budget.daily_tokens_per_user == null ? "null" : var.budget.daily_tokens_per_user}: give a whole number of tokens from 1 to 1000000000000000, the most that the processor takes, or null for no limit."
  }

  validation {
    condition     = var.budget.daily_tokens_total == null ? true : var.budget.daily_tokens_total >= 1 && var.budget.daily_tokens_total <= 1000000000000000 && floor(var.budget.daily_tokens_total) == var.budget.daily_tokens_total
    error_message = "budget.daily_tokens_total is ${var.budget.daily_tokens_total == null ? "null" : var.budget.daily_tokens_total}: give a whole number of tokens from 1 to 1000000000000000, the most that the processor takes, or null for no limit."
  }

  validation {
    condition     = var.budget.daily_tokens_per_user == null || var.budget.daily_tokens_total == null ? true : var.budget.daily_tokens_per_user <= var.budget.daily_tokens_total
    error_message = "budget.daily_tokens_per_user is ${var.budget.daily_tokens_per_user == null ? "null" : var.budget.daily_tokens_per_user}, daily_tokens_total is ${var.budget.daily_tokens_total == null ? "null" : var.budget.daily_tokens_total}: no user could ever reach their limit. Lower daily_tokens_per_user, or raise daily_tokens_total."
  }

  validation {
    condition = alltrue([
      for limit in [var.budget.daily_tokens_per_user, var.budget.daily_tokens_total] :
      limit == null ? true : alltrue([for type in values(local.job_types) : type.max_tokens <= limit])
    ])
    error_message = join(" ", [
      "A job sets its type's max_tokens aside before it starts, and could never do so within the budget",
      "(daily_tokens_per_user ${var.budget.daily_tokens_per_user == null ? "null" : var.budget.daily_tokens_per_user},",
      "daily_tokens_total ${var.budget.daily_tokens_total == null ? "null" : var.budget.daily_tokens_total}):",
      "${join(", ", [for name, type in local.job_types : "${name} (max_tokens ${type.max_tokens})" if anytrue([for limit in [var.budget.daily_tokens_per_user, var.budget.daily_tokens_total] : limit == null ? false : type.max_tokens > limit])])}.",
      "Raise the budget, or lower max_tokens of those job types.",
    ])
  }
}

# ---------------------------------------------------------------------------------------------------
# Job types
# ---------------------------------------------------------------------------------------------------

variable "default_model_id" {
  description = "The model of every job type that names none: a model id, the id of a cross-region inference profile (eu.…, us.…, global.…), or an ARN."
  type        = string
  default     = "amazon.nova-lite-v1:0"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._:/-]+$", var.default_model_id))
    error_message = "default_model_id is \"${var.default_model_id}\": give a Bedrock model id, an inference profile id or an ARN, e.g. amazon.nova-lite-v1:0."
  }
}

variable "model_prices" {
  description = <<-EOT
    What models cost, by model id as the job types name it, in US dollars for a million tokens: the metric EstimatedCost is
    computed from it. A model that is not in it is not counted there. The default is the list price of the default model in
    us-east-1 (https://aws.amazon.com/bedrock/pricing/); prices differ by region and change: give your own.
  EOT
  type = map(object({
    input  = number
    output = number
  }))
  default = {
    "amazon.nova-lite-v1:0" = { input = 0.06, output = 0.24 }
  }
  nullable = false

  validation {
    condition     = alltrue([for price in values(var.model_prices) : price.input >= 0 && price.output >= 0])
    error_message = "model_prices has negative prices for ${join(", ", [for model, price in var.model_prices : model if price.input < 0 || price.output < 0])}: give US dollars for a million tokens."
  }

  validation {
    condition     = length(jsonencode(var.model_prices)) <= 2000
    error_message = "model_prices takes ${length(jsonencode(var.model_prices))} characters as JSON: at most 2000 fit into the processor's environment. Leave out models that no job type uses."
  }
}

variable "builtin_job_types" {
  description = "Offer the built-in job types blog-post, social-media, listing-description and market-update."
  type        = bool
  default     = true
  nullable    = false
}

variable "job_types" {
  description = <<-EOT
    Job types by name, added to the built-in ones; one with the name of a built-in type replaces it as a whole. prompt and
    system_prompt are Jinja2 templates over the fields of the job's input: {{ field }}. input_schema is a JSON Schema (draft-04)
    as a JSON string: jsonencode({...}) or file("..."). temperature = null leaves it to the model; some refuse the parameter.
  EOT
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

  validation {
    condition     = alltrue([for name in keys(var.job_types) : can(regex("^[a-z0-9][a-z0-9-]{0,63}$", name))])
    error_message = "job_types has the names ${join(", ", [for name in keys(var.job_types) : "\"${name}\"" if !can(regex("^[a-z0-9][a-z0-9-]{0,63}$", name))])}: use 1 to 64 lower-case letters, digits and hyphens, not starting with a hyphen."
  }

  validation {
    condition     = length(var.job_types) > 0 || var.builtin_job_types
    error_message = "There is no job type at all: builtin_job_types is false and job_types is empty. Give at least one, or keep the built-in ones."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.model_id == null || can(regex("^[A-Za-z0-9._:/-]+$", type.model_id))])
    error_message = "model_id of ${join(", ", [for name, type in var.job_types : "${name} (\"${coalesce(type.model_id, "-")}\")" if !(type.model_id == null || can(regex("^[A-Za-z0-9._:/-]+$", type.model_id)))])}: give a Bedrock model id, an inference profile id or an ARN, or leave it out for default_model_id."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : trimspace(type.prompt) != ""])
    error_message = "prompt is empty in ${join(", ", [for name, type in var.job_types : name if trimspace(type.prompt) == ""])}: a job type needs a prompt."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.system_prompt == null ? true : trimspace(type.system_prompt) != ""])
    error_message = "system_prompt is empty in ${join(", ", [for name, type in var.job_types : name if type.system_prompt == null ? false : trimspace(type.system_prompt) == ""])}: Bedrock refuses an empty one. Write one or leave it out."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.max_tokens >= 1 && type.max_tokens <= 2147483647 && floor(type.max_tokens) == type.max_tokens])
    error_message = "max_tokens of ${join(", ", [for name, type in var.job_types : "${name} (${type.max_tokens})" if !(type.max_tokens >= 1 && type.max_tokens <= 2147483647 && floor(type.max_tokens) == type.max_tokens)])}: give a whole number from 1 to 2147483647, as small as the longest useful answer; the model's quota reserves it at every start."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.temperature == null ? true : type.temperature >= 0 && type.temperature <= 1])
    error_message = "temperature of ${join(", ", [for name, type in var.job_types : "${name} (${type.temperature})" if type.temperature == null ? false : type.temperature < 0 || type.temperature > 1])}: give a number from 0 to 1, or leave it out."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.timeout_seconds >= 1 && floor(type.timeout_seconds) == type.timeout_seconds])
    error_message = "timeout_seconds of ${join(", ", [for name, type in var.job_types : "${name} (${type.timeout_seconds})" if !(type.timeout_seconds >= 1 && floor(type.timeout_seconds) == type.timeout_seconds)])}: give whole seconds from 1."
  }

  validation {
    condition = alltrue([
      for type in values(var.job_types) : type.guardrail == null ? true :
      can(regex("^([a-z0-9]+|arn:[^:]+:bedrock:[^:]+:[0-9]{12}:guardrail/[a-z0-9]+)$", type.guardrail.id)) && can(regex("^([1-9][0-9]{0,7}|DRAFT)$", type.guardrail.version))
    ])
    error_message = "guardrail of ${join(", ", [for name, type in var.job_types : "${name} (id \"${type.guardrail.id}\", version \"${type.guardrail.version}\")" if type.guardrail == null ? false : !(can(regex("^([a-z0-9]+|arn:[^:]+:bedrock:[^:]+:[0-9]{12}:guardrail/[a-z0-9]+)$", type.guardrail.id)) && can(regex("^([1-9][0-9]{0,7}|DRAFT)$", type.guardrail.version)))])}: id is the guardrail's id or ARN, version a number or DRAFT."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : can(keys(jsondecode(type.input_schema)))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if !can(keys(jsondecode(type.input_schema)))])} is not a JSON object: give a JSON Schema (draft-04) as a JSON string, e.g. jsonencode({ type = \"object\", ... })."
  }

  # The rest of what can be wrong with a schema, `ai-jobs types check` finds: it compiles them as the workers do.
  validation {
    condition     = alltrue([for type in values(var.job_types) : (can(jsondecode(type.input_schema)["$ref"]) || try(contains(flatten([try(jsondecode(type.input_schema).type, "object")]), "object"), false))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if !(can(jsondecode(type.input_schema)["$ref"]) || try(contains(flatten([try(jsondecode(type.input_schema).type, "object")]), "object"), false))])} has a type that is not \"object\", but the input of a job is an object: give type = \"object\"."
  }

  # Where a schema has an id, a reference may mean a part of the schema itself.
  validation {
    condition     = alltrue([for type in values(var.job_types) : (!can(regex("\"[$]ref\":\"[A-Za-z][A-Za-z0-9+.-]*:", try(jsonencode(jsondecode(type.input_schema)), ""))) || can(regex("\"[$]?id\":\"", try(jsonencode(jsondecode(type.input_schema)), ""))))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if !(!can(regex("\"[$]ref\":\"[A-Za-z][A-Za-z0-9+.-]*:", try(jsonencode(jsondecode(type.input_schema)), ""))) || can(regex("\"[$]?id\":\"", try(jsonencode(jsondecode(type.input_schema)), ""))))])} refers to another document: only references within the schema are allowed ($ref = \"#/definitions/name\"); nothing is fetched for it."
  }

  # 150 brackets that open without one that closes, outside of texts.
  validation {
    condition     = alltrue([for type in values(var.job_types) : !can(regex("(?:[{\\[][^}\\]]*){151}", replace(try(jsonencode(jsondecode(type.input_schema)), ""), "/\"(?:[^\"\\\\]|\\\\.)*\"/", "")))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if can(regex("(?:[{\\[][^}\\]]*){151}", replace(try(jsonencode(jsondecode(type.input_schema)), ""), "/\"(?:[^\"\\\\]|\\\\.)*\"/", "")))])} is nested more than 150 levels deep (MAX_DEPTH in functions/ai_jobs/input_schemas.py): make it flatter."
  }
}
