variable "directory" {
  description = "The directory of the zips; null if they are in S3."
  type        = string
  default     = null
}

variable "s3" {
  description = "The bucket of the zips, and what the keys begin with; null if they are in a directory."
  type = object({
    bucket = string
    prefix = string
  })
  default = null

  validation {
    condition     = var.s3 == null ? true : var.manifest != null
    error_message = "s3 is set without a manifest, which names the zips. Set manifest."
  }
}

variable "manifest" {
  description = "The manifest.json of a release as JSON: it names the zips, and says what is in them. null if a directory has none."
  type        = string
  default     = null
}

variable "manifest_name" {
  description = "What error messages call the manifest: the file that it is from."
  type        = string
  default     = "manifest"
  nullable    = false
}
