variable "name" {
  description = "Name of the bucket. Bucket names are global: include the account and the region."
  type        = string
  nullable    = false
}

variable "results_expiration_days" {
  description = "Days after which an object under results/ is deleted."
  type        = number
  nullable    = false
}

variable "inputs_expiration_days" {
  description = "Days after which an object under inputs/ is deleted."
  type        = number
  nullable    = false
}

variable "cors" {
  description = "The origins whose pages may upload files and fetch large results from a browser, and how long a browser caches the answer to a preflight; null means none."
  type = object({
    allow_origins   = list(string)
    max_age_seconds = number
  })
  default = null
}

variable "force_destroy" {
  description = "Let terraform destroy delete the bucket with its contents."
  type        = bool
  nullable    = false
}

variable "require_tls" {
  description = "Deny every call over plain HTTP with a bucket policy."
  type        = bool
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key for the objects; null means SSE-S3."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}
