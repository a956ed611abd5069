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

variable "layer_package" {
  description = "The path of the layer's zip, which acme-jobs/build_layer.py builds."
  type        = string
  default     = "acme-jobs/layer.zip"
  nullable    = false
}
