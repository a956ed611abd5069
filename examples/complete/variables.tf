variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "packages_bucket" {
  description = "Bucket, in the same region, that holds the zips of make package."
  type        = string
  nullable    = false
}

variable "package_versions" {
  description = "Object version of each zip by processor, result_handler, jobs_api, reconciler and event_publisher; the release pipeline knows them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "alarm_email" {
  description = "Who is paged when the service as a whole is unhealthy."
  type        = string
  nullable    = false
}
