variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "packages_directory" {
  description = "Where the release's zips are."
  type        = string
  default     = "dist"
  nullable    = false
}

variable "layer_package" {
  description = "The path of the layer's zip, which acme-jobs/build_layer.py builds."
  type        = string
  default     = "acme-jobs/layer.zip"
  nullable    = false
}
