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

variable "layer_package" {
  description = "The path of the layer's zip, which acme-jobs/build_layer.py builds."
  type        = string
  default     = "acme-jobs/layer.zip"
  nullable    = false
}
