variable "builtin_job_types" {
  description = "Offer the built-in job types blog-post, social-media, listing-description, and market-update."
  type        = bool
  default     = true
  nullable    = false
}

variable "job_types" {
  description = <<-EOT
    Job types by name, in addition to the built-in ones; a type with the name of a built-in one replaces it as a whole
    (docs/job-types.md).

    Exactly one of `prompt` and `handler` is required. Whatever is null is left to the model.
  EOT
  type = map(object({
    # null means `default_model_id`.
    model_id = optional(string)
    # Tried in order when a model throttles or is unavailable (docs/job-types.md#fallback-models).
    fallback_model_ids = optional(list(string), [])
    # Calls the models through application inference profiles of the type's own, whose tag `JobType` shows in the bill.
    inference_profile = optional(bool, false)
    # A Jinja2 template over the fields of the job's input, such as `{{ field }}`.
    system_prompt = optional(string)
    # Likewise.
    prompt = optional(string)
    # Your own function, such as `acme_jobs.reports:summarize`, in one of `processor.layers` (docs/job-types.md#your-own-function).
    handler = optional(string)
    # The longest answer, in tokens. The model's quota reserves it at every start, so keep it as small as the longest useful answer.
    max_tokens = optional(number, 2048)
    # How long one model call may take, or the whole handler.
    timeout_seconds = optional(number, 120)
    # Some models reject it.
    temperature = optional(number)
    # Some models reject it.
    top_p = optional(number)
    # Texts at which the model stops.
    stop_sequences = optional(list(string), [])
    # How much a reasoning model thinks, where the model has the setting.
    effort = optional(string)
    # `flex` (cheaper, slower), `priority`, or `reserved`, where the model has it; null means the default tier.
    service_tier = optional(string)
    # Caches the static beginning of the prompts. `ttl` is `5m` or `1h`.
    prompt_cache = optional(object({ ttl = optional(string, "5m") }))
    # A Bedrock guardrail.
    guardrail = optional(object({
      id      = string
      version = string
    }))
    # A JSON object (as a JSON string) of fields that only this model knows.
    additional_model_request_fields = optional(string)
    # Names and values that appear in Bedrock's invocation logs.
    request_metadata = optional(map(string), {})
    # A JSON Schema (draft-04) of the job's input, as a JSON string: `jsonencode({...})` or `file("...")`. Nothing limits the time of its
    # patterns, and one that repeats a repetition, such as `^(a+)+$`, can keep a worker busy until its timeout: avoid those, and put a
    # `maxLength` of at most 1000 beside every pattern, which is checked first.
    input_schema = string
    # Like `input_schema`. With it, the result is JSON that matches it (docs/job-types.md#json-output).
    output_schema = optional(string)
    output = optional(object({
      # `native` or `tool`; null means what the model has.
      mode = optional(string)
      # How often the model may correct an answer that does not match the schema.
      repairs = optional(number, 1)
    }))
    # Lets a job have files (docs/job-types.md#attachments).
    attachments = optional(object({
      media_types = list(string)
      max_count   = optional(number, 5)
      # Of each file. The default is as much as Converse takes of an image.
      max_bytes = optional(number, 3750000)
    }))
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

  # --- Ranges and choices, by the tables in limits.tf ---

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for name, limit in local.limits.job_types : [for value in try(type[limit.within][name], type[name], null)[*] : value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value]]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name, limit in local.limits.job_types : [for value in try(type[limit.within][name], type[name], null)[*] : "job_types.${key}.${limit.path} is ${value}. ${limit.rule}" if !(value >= limit.min && value <= coalesce(limit.max, value) && floor(value) == value)]]]))
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for name, limit in local.job_type_fractions : [for value in type[name][*] : value >= limit.min && value <= limit.max]]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name, limit in local.job_type_fractions : [for value in type[name][*] : "job_types.${key}.${name} is ${value}. Use a number from ${limit.min} to ${limit.max}, or omit it." if !(value >= limit.min && value <= limit.max)]]]))
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for path, choice in local.job_type_choices : [for value in flatten(try(type[choice.within][choice.name], type[choice.name], null)[*]) : contains(choice.values, value)]]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for path, choice in local.job_type_choices : [for value in flatten(try(type[choice.within][choice.name], type[choice.name], null)[*]) : "job_types.${key}.${path} is \"${value}\". Use ${choice.rule}." if !contains(choice.values, value)]]]))
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for name, limit in local.job_type_lengths : length(type[name]) <= limit.max]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name, limit in local.job_type_lengths : "job_types.${key}.${name} has ${length(type[name])} values. Use at most ${limit.max}." if length(type[name]) > limit.max]]))
  }

  # --- Models ---

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for id in concat(type.model_id[*], type.fallback_model_ids) : can(regex("^${local.contract.patterns.model_id}$", id))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for id in concat(type.model_id[*], type.fallback_model_ids) : "job_types.${key} names the model \"${id}\", which is not the id of a model. Use a Bedrock model id, an inference profile id, or an ARN; omit model_id for default_model_id." if !can(regex("^${local.contract.patterns.model_id}$", id))]]))
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : length(distinct(concat([coalesce(type.model_id, var.default_model_id)], type.fallback_model_ids))) == 1 + length(type.fallback_model_ids)])
    error_message = join("\n", [for key, type in var.job_types : "job_types.${key}.fallback_model_ids is ${jsonencode(type.fallback_model_ids)}, and its model is ${coalesce(type.model_id, var.default_model_id)}. A model that was just tried would be tried again. Name each model once." if length(distinct(concat([coalesce(type.model_id, var.default_model_id)], type.fallback_model_ids))) < 1 + length(type.fallback_model_ids)])
  }

  # An application inference profile can't be made from another one, nor from a custom or imported model.
  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for id in concat([coalesce(type.model_id, var.default_model_id)], type.fallback_model_ids) : !startswith(id, "arn:") || can(regex(":(inference-profile|foundation-model)/", id)) if type.inference_profile]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for id in concat([coalesce(type.model_id, var.default_model_id)], type.fallback_model_ids) : "job_types.${key}.inference_profile is true, and its model is ${id}. Bedrock makes application inference profiles of foundation models and cross-region inference profiles only. Name one of these, or set inference_profile = false." if type.inference_profile && startswith(id, "arn:") && !can(regex(":(inference-profile|foundation-model)/", id))]]))
  }

  validation {
    condition = alltrue([
      for type in values(var.job_types) : type.guardrail == null ? true :
      can(regex("^([a-z0-9]+|arn:[^:]+:bedrock:[^:]+:[0-9]{12}:guardrail/[a-z0-9]+)$", type.guardrail.id)) && can(regex("^([1-9][0-9]{0,7}|DRAFT)$", type.guardrail.version))
    ])
    error_message = "guardrail of ${join(", ", [for name, type in var.job_types : "${name} (id \"${type.guardrail.id}\", version \"${type.guardrail.version}\")" if type.guardrail == null ? false : !(can(regex("^([a-z0-9]+|arn:[^:]+:bedrock:[^:]+:[0-9]{12}:guardrail/[a-z0-9]+)$", type.guardrail.id)) && can(regex("^([1-9][0-9]{0,7}|DRAFT)$", type.guardrail.version)))])} is not valid. Set id to the guardrail's id or ARN, and version to a number or DRAFT."
  }

  # --- Prompt or handler ---

  validation {
    condition     = alltrue([for type in values(var.job_types) : (type.prompt == null) != (type.handler == null)])
    error_message = join("\n", [for key, type in var.job_types : "job_types.${key} has ${type.prompt == null ? "neither a prompt nor a handler" : "both a prompt and a handler (${type.handler})"}. Set exactly one of them." if(type.prompt == null) == (type.handler == null)])
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for text in concat(type.prompt[*], type.system_prompt[*]) : trimspace(text) != ""]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name in ["prompt", "system_prompt"] : [for text in type[name][*] : "job_types.${key}.${name} is empty, and Bedrock rejects an empty one. Write one${name == "prompt" ? "" : ", or omit it"}." if trimspace(text) == ""]]]))
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.handler == null || type.system_prompt == null])
    error_message = "system_prompt is set beside a handler in ${join(", ", [for key, type in var.job_types : key if type.handler != null && type.system_prompt != null])}, and would not be used: a handler passes its own to the model. Omit it."
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for handler in type.handler[*] : can(regex("^${local.contract.patterns.handler}$", handler))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for handler in type.handler[*] : "job_types.${key}.handler is \"${handler}\". Use MODULE:FUNCTION, such as \"acme_jobs.reports:summarize\"." if !can(regex("^${local.contract.patterns.handler}$", handler))]]))
  }

  # --- Schemas; `ai-jobs types check` finds whatever else can be wrong with one: it compiles them as the workers do ---

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for schema in concat([type.input_schema], type.output_schema[*]) : can(keys(jsondecode(schema)))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name in ["input_schema", "output_schema"] : [for schema in type[name][*] : "job_types.${key}.${name} is not a JSON object. Use a JSON Schema (draft-04) as a JSON string, e.g. jsonencode({ type = \"object\", ... })." if !can(keys(jsondecode(schema)))]]]))
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for schema in concat([type.input_schema], type.output_schema[*]) : (can(jsondecode(schema)["$ref"]) || try(contains(flatten([try(jsondecode(schema).type, "object")]), "object"), false))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name in ["input_schema", "output_schema"] : [for schema in type[name][*] : "job_types.${key}.${name} has the type ${try(jsonencode(jsondecode(schema).type), "null")}, but the ${trimsuffix(name, "_schema")} of a job is an object. Use type = \"object\"." if !(can(jsondecode(schema)["$ref"]) || try(contains(flatten([try(jsondecode(schema).type, "object")]), "object"), false))]]]))
  }

  # In a schema with an id, a reference may point to a part of the schema itself.
  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for schema in concat([type.input_schema], type.output_schema[*]) : (!can(regex("\"[$]ref\":\"[A-Za-z][A-Za-z0-9+.-]*:", try(jsonencode(jsondecode(schema)), ""))) || can(regex("\"[$]?id\":\"", try(jsonencode(jsondecode(schema)), ""))))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name in ["input_schema", "output_schema"] : [for schema in type[name][*] : "job_types.${key}.${name} refers to another document, and nothing is fetched for it. Use only references within the schema ($ref = \"#/definitions/name\")." if !(!can(regex("\"[$]ref\":\"[A-Za-z][A-Za-z0-9+.-]*:", try(jsonencode(jsondecode(schema)), ""))) || can(regex("\"[$]?id\":\"", try(jsonencode(jsondecode(schema)), ""))))]]]))
  }

  # As many brackets that open without one that closes, outside of strings.
  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for schema in concat([type.input_schema], type.output_schema[*]) : !can(regex("(?:[{\\[][^}\\]]*){${local.contract.limits.schema_depth.max + 1}}", replace(try(jsonencode(jsondecode(schema)), ""), "/\"(?:[^\"\\\\]|\\\\.)*\"/", "")))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name in ["input_schema", "output_schema"] : [for schema in type[name][*] : "job_types.${key}.${name} is nested more than ${local.contract.limits.schema_depth.max} levels deep. Make it flatter." if can(regex("(?:[{\\[][^}\\]]*){${local.contract.limits.schema_depth.max + 1}}", replace(try(jsonencode(jsondecode(schema)), ""), "/\"(?:[^\"\\\\]|\\\\.)*\"/", "")))]]]))
  }

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.output == null || type.output_schema != null])
    error_message = "output is set without output_schema in ${join(", ", [for key, type in var.job_types : key if type.output != null && type.output_schema == null])}, and says how to get JSON that matches it. Set output_schema, or omit output."
  }

  # --- The rest of a call ---

  validation {
    condition     = alltrue([for type in values(var.job_types) : type.attachments == null ? true : length(type.attachments.media_types) > 0])
    error_message = "attachments.media_types is empty in ${join(", ", [for key, type in var.job_types : key if type.attachments == null ? false : length(type.attachments.media_types) == 0])}, so no file would be accepted. Name at least one of ${join(", ", keys(local.contract.media_types))}, or omit attachments."
  }

  # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html; a handler can spread them over several calls.
  validation {
    condition     = alltrue([for type in values(var.job_types) : type.attachments == null || type.handler != null ? true : type.attachments.max_count <= local.contract.limits.documents_per_model_call.max || anytrue([for media_type in type.attachments.media_types : try(local.contract.media_types[media_type].kind, "image") == "image"])])
    error_message = join("\n", [for key, type in var.job_types : "job_types.${key}.attachments allows ${type.attachments.max_count} files, which are all documents. A model call takes at most ${local.contract.limits.documents_per_model_call.max} of them. Lower max_count, or use a handler, which can make several calls." if type.attachments == null || type.handler != null ? false : type.attachments.max_count > local.contract.limits.documents_per_model_call.max && alltrue([for media_type in type.attachments.media_types : try(local.contract.media_types[media_type].kind, "image") != "image"])])
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for text in type.stop_sequences : text != ""]]))
    error_message = "stop_sequences has an empty text in ${join(", ", [for key, type in var.job_types : key if contains(type.stop_sequences, "")])}, and Bedrock rejects it. Omit it."
  }

  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for fields in type.additional_model_request_fields[*] : can(keys(jsondecode(fields)))]]))
    error_message = "additional_model_request_fields is not a JSON object in ${join(", ", flatten([for key, type in var.job_types : [for fields in type.additional_model_request_fields[*] : key if !can(keys(jsondecode(fields)))]]))}. Use a JSON object as a JSON string, e.g. jsonencode({ top_k = 50 })."
  }

  # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (requestMetadata)
  validation {
    condition     = alltrue(flatten([for type in values(var.job_types) : [for name, value in type.request_metadata : can(regex("^[a-zA-Z0-9\\s:_@$#=/+,.-]{1,256}$", name)) && can(regex("^[a-zA-Z0-9\\s:_@$#=/+,.-]{0,256}$", value))]]))
    error_message = join("\n", flatten([for key, type in var.job_types : [for name, value in type.request_metadata : "job_types.${key}.request_metadata has \"${name}\" = \"${value}\". Use at most 256 letters, digits, spaces, and :_@$#=/+,.- in each name and value." if !(can(regex("^[a-zA-Z0-9\\s:_@$#=/+,.-]{1,256}$", name)) && can(regex("^[a-zA-Z0-9\\s:_@$#=/+,.-]{0,256}$", value)))]]))
  }
}
