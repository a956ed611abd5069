variable "name" {
  description = "Name of the AppConfig application."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Name of the AppConfig environment."
  type        = string
  nullable    = false
}

variable "strategy_name" {
  description = "Name of the deployment strategy."
  type        = string
  nullable    = false
}

variable "profile_name" {
  description = "Name of the configuration profile."
  type        = string
  default     = "job-types"
  nullable    = false
}

variable "job_types" {
  description = "The job types by name. input_schema and output_schema are JSON Schemas (draft-04), additional_model_request_fields is a JSON object, all as JSON strings; inference_profiles are ARNs by model id."
  type = map(object({
    model_id           = string
    fallback_model_ids = optional(list(string), [])
    inference_profiles = optional(map(string), {})
    system_prompt      = optional(string)
    prompt             = optional(string)
    handler            = optional(string)
    max_tokens         = number
    timeout_seconds    = number
    temperature        = optional(number)
    top_p              = optional(number)
    stop_sequences     = optional(list(string), [])
    effort             = optional(string)
    service_tier       = optional(string)
    prompt_cache       = optional(object({ ttl = string }))
    guardrail = optional(object({
      id      = string
      version = string
    }))
    additional_model_request_fields = optional(string)
    request_metadata                = optional(map(string), {})
    input_schema                    = string
    output_schema                   = optional(string)
    output = optional(object({
      mode    = optional(string)
      repairs = number
    }))
    attachments = optional(object({
      media_types = list(string)
      max_count   = number
      max_bytes   = number
    }))
  }))
  nullable = false
}

variable "deploy_after" {
  description = "Values of resources that must be up to date before the document is deployed."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that the module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}
