variable "jobs" {
  description = <<-EOT
    Rules for all jobs: how long a finished job can be read, the deadline of a job that does not set one, the longest wait between two
    attempts while the model throttles, how long a job waits for a model that denies access, and how old a function's copy of the job
    types may become.
  EOT
  type = object({
    retention_days           = optional(number, 30)
    default_deadline_seconds = optional(number, 21600)
    max_backoff_seconds      = optional(number, 900)
    # A new permission or Marketplace agreement takes seconds to minutes; a job that is denied access for longer fails.
    model_access_wait_seconds = optional(number, 600)
    config_max_age_seconds    = optional(number, 60)
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
    How many tokens (input and output) the jobs of one UTC day may use, per user and in total; null means no limit, and costs
    nothing. Running jobs count with their max_tokens and an estimate of their input. A job over the budget waits like a throttled
    one: until its deadline. A counter is one row, which limits the jobs per second (of each user, or in total): with batches of 10
    that take 13 s, to 500 (docs/scaling.md).
  EOT
  type = object({
    daily_tokens_per_user = optional(number)
    daily_tokens_total    = optional(number)
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
    What models cost, by model id as the job types name it, in US dollars per million tokens; the metric EstimatedCost is computed from
    it. The metric does not count models that are missing here. The default is the list price of the default model in us-east-1
    (https://aws.amazon.com/bedrock/pricing/); prices differ by region and change over time, so set your own.
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
    error_message = "model_prices has negative prices for ${join(", ", [for model, price in var.model_prices : model if price.input < 0 || price.output < 0])}. Use US dollars per million tokens, 0 or more."
  }

  validation {
    condition     = length(jsonencode(var.model_prices)) <= 2000
    error_message = "model_prices takes ${length(jsonencode(var.model_prices))} characters as JSON, and at most 2000 fit into the processor's environment. Omit models that no job type uses."
  }
}

variable "builtin_job_types" {
  description = "Offer the built-in job types blog-post, social-media, listing-description, and market-update."
  type        = bool
  default     = true
  nullable    = false
}

variable "job_types" {
  description = <<-EOT
    Job types by name, in addition to the built-in ones; a type with the name of a built-in one replaces it as a whole. prompt and
    system_prompt are Jinja2 templates over the fields of the job's input: {{ field }}. input_schema is a JSON Schema (draft-04)
    as a JSON string: jsonencode({...}) or file("..."). Nothing limits the time of its patterns, and one that repeats a repetition,
    such as ^(a+)+$, can keep a worker busy until its timeout: avoid those, and put a maxLength of at most 1000 beside every pattern,
    which is checked first. temperature = null leaves it to the model; some models reject the parameter.
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
    condition     = alltrue([for name in keys(var.job_types) : can(regex("^${local.contract.patterns.job_type}$", name))])
    error_message = "job_types has the names ${join(", ", [for name in keys(var.job_types) : "\"${name}\"" if !can(regex("^${local.contract.patterns.job_type}$", name))])}. Use 1 to 64 lowercase letters, digits, and hyphens, not starting with a hyphen."
  }

  validation {
    condition     = length(var.job_types) > 0 || var.builtin_job_types
    error_message = "There are no job types: builtin_job_types is false, and job_types is empty. Define at least one, or keep the built-in ones."
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for name, limit in local.limits.job_types : [for value in type[name][*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name, limit in local.limits.job_types : [for value in type[name][*] : "job_types.${key}.${name} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]]))
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.temperature == null ? true : type.temperature >= local.contract.limits.model_temperature.min && type.temperature <= local.contract.limits.model_temperature.max])
    error_message = "temperature of ${join(", ", [for name, type in var.job_types : "${name} (${type.temperature})" if type.temperature == null ? false : type.temperature < local.contract.limits.model_temperature.min || type.temperature > local.contract.limits.model_temperature.max])} is out of range. Use a number from ${local.contract.limits.model_temperature.min} to ${local.contract.limits.model_temperature.max}, or omit it."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.model_id == null || can(regex("^${local.contract.patterns.model_id}$", type.model_id))])
    error_message = "model_id of ${join(", ", [for name, type in var.job_types : "${name} (\"${coalesce(type.model_id, "-")}\")" if !(type.model_id == null || can(regex("^${local.contract.patterns.model_id}$", type.model_id)))])} is not the id of a model. Use a Bedrock model id, an inference profile id, or an ARN, or omit it for default_model_id."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : trimspace(type.prompt) != ""])
    error_message = "prompt is empty in ${join(", ", [for name, type in var.job_types : name if trimspace(type.prompt) == ""])}. A job type needs a prompt."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.system_prompt == null ? true : trimspace(type.system_prompt) != ""])
    error_message = "system_prompt is empty in ${join(", ", [for name, type in var.job_types : name if type.system_prompt == null ? false : trimspace(type.system_prompt) == ""])}, and Bedrock rejects an empty one. Write one, or omit it."
  }

  validation {
    condition = alltrue([
      for type in values(var.job_types) : type.guardrail == null ? true :
      can(regex("^([a-z0-9]+|arn:[^:]+:bedrock:[^:]+:[0-9]{12}:guardrail/[a-z0-9]+)$", type.guardrail.id)) && can(regex("^([1-9][0-9]{0,7}|DRAFT)$", type.guardrail.version))
    ])
    error_message = "guardrail of ${join(", ", [for name, type in var.job_types : "${name} (id \"${type.guardrail.id}\", version \"${type.guardrail.version}\")" if type.guardrail == null ? false : !(can(regex("^([a-z0-9]+|arn:[^:]+:bedrock:[^:]+:[0-9]{12}:guardrail/[a-z0-9]+)$", type.guardrail.id)) && can(regex("^([1-9][0-9]{0,7}|DRAFT)$", type.guardrail.version)))])} is not valid. Set id to the guardrail's id or ARN, and version to a number or DRAFT."
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : can(keys(jsondecode(type.input_schema)))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if !can(keys(jsondecode(type.input_schema)))])} is not a JSON object. Use a JSON Schema (draft-04) as a JSON string, e.g. jsonencode({ type = \"object\", ... })."
  }

  # `ai-jobs types check` finds whatever else can be wrong with a schema: it compiles them as the workers do.
  validation {
    condition     = alltrue([for type in values(var.job_types) : (can(jsondecode(type.input_schema)["$ref"]) || try(contains(flatten([try(jsondecode(type.input_schema).type, "object")]), "object"), false))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if !(can(jsondecode(type.input_schema)["$ref"]) || try(contains(flatten([try(jsondecode(type.input_schema).type, "object")]), "object"), false))])} has a type other than \"object\", but the input of a job is an object. Use type = \"object\"."
  }

  # In a schema with an id, a reference may point to a part of the schema itself.
  validation {
    condition     = alltrue([for type in values(var.job_types) : (!can(regex("\"[$]ref\":\"[A-Za-z][A-Za-z0-9+.-]*:", try(jsonencode(jsondecode(type.input_schema)), ""))) || can(regex("\"[$]?id\":\"", try(jsonencode(jsondecode(type.input_schema)), ""))))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if !(!can(regex("\"[$]ref\":\"[A-Za-z][A-Za-z0-9+.-]*:", try(jsonencode(jsondecode(type.input_schema)), ""))) || can(regex("\"[$]?id\":\"", try(jsonencode(jsondecode(type.input_schema)), ""))))])} refers to another document, and nothing is fetched for it. Use only references within the schema ($ref = \"#/definitions/name\")."
  }

  # As many brackets that open without one that closes, outside of strings.
  validation {
    condition     = alltrue([for type in values(var.job_types) : !can(regex("(?:[{\\[][^}\\]]*){${local.contract.limits.input_schema_depth.max + 1}}", replace(try(jsonencode(jsondecode(type.input_schema)), ""), "/\"(?:[^\"\\\\]|\\\\.)*\"/", "")))])
    error_message = "input_schema of ${join(", ", [for name, type in var.job_types : name if can(regex("(?:[{\\[][^}\\]]*){${local.contract.limits.input_schema_depth.max + 1}}", replace(try(jsonencode(jsondecode(type.input_schema)), ""), "/\"(?:[^\"\\\\]|\\\\.)*\"/", "")))])} is nested more than ${local.contract.limits.input_schema_depth.max} levels deep. Make it flatter."
  }
}
