variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "packages_bucket" {
  description = "The bucket, in the same region, that `make publish` uploaded the zips to."
  type        = string
  nullable    = false
}

variable "packages_manifest" {
  description = "The release's manifest.json: its path, or its JSON."
  type        = string
  nullable    = false
}

variable "alarm_email" {
  description = "The email address to page when the service as a whole is unhealthy."
  type        = string
  nullable    = false
}
