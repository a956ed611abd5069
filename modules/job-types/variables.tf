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
  description = "The job types by name; input_schema is a JSON Schema (draft-04) as a JSON string."
  type = map(object({
    model_id        = string
    system_prompt   = optional(string)
    prompt          = string
    max_tokens      = number
    temperature     = optional(number)
    timeout_seconds = number
    guardrail = optional(object({
      id      = string
      version = string
    }))
    input_schema = string
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
