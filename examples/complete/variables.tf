variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "packages_bucket" {
  description = "The bucket, in the same region, that `make publish BUCKET=… PREFIX=ai-jobs` filled."
  type        = string
  nullable    = false
}

variable "packages_manifest" {
  description = "The path of the release's manifest: what `make publish` uploaded as ai-jobs/manifest-<release>.json."
  type        = string
  nullable    = false
}

variable "domain_name" {
  description = "The API's domain, e.g. jobs.example.com."
  type        = string
  nullable    = false
}

variable "certificate_arn" {
  description = "A certificate for the domain, in the same region (AWS Certificate Manager)."
  type        = string
  nullable    = false
}

variable "hosted_zone_id" {
  description = "The Route 53 zone that the domain is in."
  type        = string
  nullable    = false
}

variable "alarm_email" {
  description = "The email address to page when the service as a whole is unhealthy."
  type        = string
  nullable    = false
}
