variable "package_bucket" {
  description = "Bucket with the zips of the release, in the region of the service, with versioning."
  type        = string
  nullable    = false
}

variable "package_versions" {
  description = "S3 object version of each zip: processor, result_handler, jobs_api."
  type        = map(string)
  nullable    = false
}

variable "on_call_email" {
  description = "Address that receives the alarms."
  type        = string
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary that the account demands of every role; null means none."
  type        = string
  default     = null
}
