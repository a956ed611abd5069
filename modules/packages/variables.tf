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

  # Each condition holds for what another one rejects.
  validation {
    condition     = var.manifest == null ? true : can(jsondecode(var.manifest))
    error_message = "${var.directory == null ? "packages.s3.manifest" : "${var.directory}/manifest.json"} is not JSON: it begins with ${jsonencode(substr(coalesce(var.manifest, "-"), 0, 40))}. ${var.directory == null ? "Use the manifest.json of a release" : "Run `make package`, or download the release again"}."
  }

  validation {
    condition     = !can(jsondecode(var.manifest)) ? true : try(jsondecode(var.manifest).schema_version == local.contract.manifest_schema_version, false)
    error_message = "${var.directory == null ? "packages.s3.manifest" : "${var.directory}/manifest.json"} ${can(jsondecode(var.manifest).schema_version) ? "has schema_version ${jsonencode(try(jsondecode(var.manifest).schema_version, null))}, and this version of the module reads ${local.contract.manifest_schema_version}. Use the module of the manifest's release (the ref in its source)" : "has no schema_version, so it is not the manifest of a release. ${var.directory == null ? "Use the manifest.json that is beside the zips" : "Run `make package`, or download the release again"}"}."
  }

  validation {
    condition     = !can(jsondecode(var.manifest).schema_version) ? true : try(jsondecode(var.manifest).interface >= local.contract.interface.min && jsondecode(var.manifest).interface <= local.contract.interface.max, false)
    error_message = "${var.directory == null ? "packages.s3.manifest" : "${var.directory}/manifest.json"} is of release ${jsonencode(try(jsondecode(var.manifest).release, null))}, whose functions expect the interface ${jsonencode(try(jsondecode(var.manifest).interface, null))}. This version of the module has ${local.contract.interface.min == local.contract.interface.max ? local.contract.interface.max : "${local.contract.interface.min} to ${local.contract.interface.max}"}. Use the module of the same release (the ref in its source), or the manifest of a release with that interface."
  }

  validation {
    condition = !can(jsondecode(var.manifest).schema_version) ? true : alltrue([
      for name in local.functions : can(regex("^[0-9a-f]{64} [0-9A-Za-z+/]{43}= [!-~]+$", join(" ", [
        jsondecode(var.manifest).functions[name].sha256, jsondecode(var.manifest).functions[name].base64sha256, jsondecode(var.manifest).functions[name].key,
      ])))
    ])
    error_message = "${var.directory == null ? "packages.s3.manifest" : "${var.directory}/manifest.json"} lacks the key, the sha256, or the base64sha256 of a function, or has an invalid one: it needs all three for each of ${join(", ", local.functions)}. Use the manifest.json of a release, unchanged."
  }
}
