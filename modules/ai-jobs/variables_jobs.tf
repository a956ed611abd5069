variable "jobs" {
  description = "Rules for all jobs."
  type = object({
    # How long a finished job can be read.
    retention_days = optional(number, 30)
    # The deadline of a job that does not set one.
    default_deadline_seconds = optional(number, 21600)
    # The longest wait between two attempts while the model throttles.
    max_backoff_seconds = optional(number, 900)
    # How long a job waits for a model that denies access. A new permission or Marketplace agreement takes seconds to minutes; a job
    # that is denied access for longer fails.
    model_access_wait_seconds = optional(number, 600)
    # How old a function's copy of the job types may become.
    config_max_age_seconds = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.jobs : [for value in var.jobs[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.jobs : [for value in var.jobs[name][*] : "jobs.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }
}

variable "budget" {
  description = <<-EOT
    How many tokens (input and output) the jobs of one UTC day may use; null means no limit, and costs nothing. Running jobs count with
    their `max_tokens` and an estimate of their input. A job over the budget waits like a throttled one: until its deadline. A counter
    is one row, which limits the jobs per second (of each user, or in total): with batches of 10 that take 13 s, to 500
    (docs/scaling.md#one-key-1000-writes-per-second).
  EOT
  type = object({
    # Of each user.
    daily_tokens_per_user = optional(number)
    # Of all users together.
    daily_tokens_total = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for name, limit in local.limits.budget : [for value in var.budget[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]))
    error_message = join("\n", flatten([for name, limit in local.limits.budget : [for value in var.budget[name][*] : "budget.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]))
  }

  validation {
    condition     = var.budget.daily_tokens_per_user == null || var.budget.daily_tokens_total == null ? true : var.budget.daily_tokens_per_user <= var.budget.daily_tokens_total
    error_message = "budget.daily_tokens_per_user is ${jsonencode(var.budget.daily_tokens_per_user)}, and daily_tokens_total is ${jsonencode(var.budget.daily_tokens_total)}. No user could ever reach their limit. Lower daily_tokens_per_user, or raise daily_tokens_total."
  }

  validation {
    condition = alltrue(flatten([for limit in values(var.budget) : [for type in values(local.job_types) : limit == null ? true : type.max_tokens <= limit]]))
    error_message = join(" ", [
      "A job reserves its type's max_tokens and its input before it starts, and could never do so within the budget",
      "(daily_tokens_per_user ${jsonencode(var.budget.daily_tokens_per_user)}, daily_tokens_total ${jsonencode(var.budget.daily_tokens_total)}):",
      "${join(", ", [for name, type in local.job_types : "${name} (max_tokens ${type.max_tokens})" if anytrue([for limit in values(var.budget) : limit == null ? false : type.max_tokens > limit])])}.",
      "Raise the budget, or lower max_tokens of those job types.",
    ])
  }
}

variable "default_model_id" {
  description = "The model of every job type that does not name one: a model id, the id of a cross-region inference profile (eu.…, us.…, global.…), or an ARN."
  type        = string
  default     = "amazon.nova-lite-v1:0"
  nullable    = false

  validation {
    condition     = can(regex("^${local.contract.patterns.model_id}$", var.default_model_id))
    error_message = "default_model_id is \"${var.default_model_id}\". Use a Bedrock model id, an inference profile id, or an ARN, e.g. amazon.nova-lite-v1:0."
  }
}

variable "model_prices" {
  description = <<-EOT
    What models cost, by model id as the job types name it, in US dollars per million tokens; the metric `EstimatedCost` is computed from
    it. The metric does not count models that are missing here. The default is the [list price](https://aws.amazon.com/bedrock/pricing/)
    of the default model in us-east-1; prices differ by region and change over time, so set your own.
  EOT
  type = map(object({
    input  = number
    output = number
    # Of input tokens that the prompt cache supplied; null means as much as others.
    cache_read = optional(number)
    # Of input tokens that the prompt cache kept; null means as much as others.
    cache_write = optional(number)
    # Factors of all prices by service tier, such as `{ flex = 0.5 }`.
    tiers = optional(map(number), {})
  }))
  default = {
    "amazon.nova-lite-v1:0" = { input = 0.06, output = 0.24 }
  }
  nullable = false

  validation {
    condition = alltrue(flatten([for price in values(var.model_prices) : [for value in concat([price.input, price.output], price.cache_read[*], price.cache_write[*], values(price.tiers)) : value >= 0]]))
    error_message = join(" ", [
      "model_prices has negative numbers for",
      "${join(", ", [for model, price in var.model_prices : model if anytrue([for value in concat([price.input, price.output], price.cache_read[*], price.cache_write[*], values(price.tiers)) : value < 0])])}.",
      "Use US dollars per million tokens, and factors for tiers, 0 or more.",
    ])
  }

  validation {
    condition     = alltrue(flatten([for price in values(var.model_prices) : [for tier in keys(price.tiers) : contains(local.contract.model_settings.service_tiers, tier)]]))
    error_message = "model_prices has tiers that do not exist: ${join(", ", flatten([for model, price in var.model_prices : [for tier in keys(price.tiers) : "${model} (${tier})" if !contains(local.contract.model_settings.service_tiers, tier)]]))}. Use one of ${join(", ", local.contract.model_settings.service_tiers)}."
  }

  # As the processor gets it: without what is not given.
  validation {
    condition     = length(jsonencode({ for model, price in var.model_prices : model => { for name, value in price : name => value if value != null && value != tomap({}) } })) <= 2000
    error_message = "model_prices takes ${length(jsonencode({ for model, price in var.model_prices : model => { for name, value in price : name => value if value != null && value != tomap({}) } }))} characters as JSON, and at most 2000 fit into the processor's environment. Omit models that no job type uses."
  }
}
