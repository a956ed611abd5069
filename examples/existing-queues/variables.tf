variable "region" {
  description = "The AWS region of the queues."
  type        = string
  default     = "us-east-1"
  nullable    = false
}

variable "packages_directory" {
  description = "Where the release's zips are."
  type        = string
  default     = "dist"
  nullable    = false
}
