variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "packages_bucket" {
  description = "The bucket, in the same region, that contains the zips from make package."
  type        = string
  nullable    = false
}

variable "package_versions" {
  description = "The object version of each zip, by processor, result_handler, jobs_api, reconciler, and event_publisher. The release pipeline knows them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "alarm_email" {
  description = "The email address to page when the service as a whole is unhealthy."
  type        = string
  nullable    = false
}
