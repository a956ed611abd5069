variable "endpoint_url" {
  description = "Where the emulator is reached; the same as AWS_ENDPOINT_URL. Only for the output api_url."
  type        = string
  default     = "http://127.0.0.1:4566"
  nullable    = false
}

variable "region" {
  description = "Region that the emulator plays."
  type        = string
  default     = "us-east-1"
  nullable    = false
}

variable "name" {
  description = "First part of every name."
  type        = string
  default     = "bayon-coagent"
  nullable    = false
}

variable "environment" {
  description = "Last part of every name."
  type        = string
  default     = "local"
  nullable    = false
}

variable "packages_directory" {
  description = "Where `make package` put the zips."
  type        = string
  default     = "../../dist"
  nullable    = false
}

variable "job_types" {
  description = "Job types of your own, as modules/ai-jobs takes them."
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
}

variable "tags" {
  description = "Tags for every resource, besides those of the module."
  type        = map(string)
  default     = {}
  nullable    = false
}
