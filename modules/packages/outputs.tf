output "zips" {
  description = "The zip of each function, by its name, as modules/function takes it."
  value       = local.zips

  precondition {
    condition     = length(local.missing_zips) == 0
    error_message = "packages.directory is ${jsonencode(var.directory)}, and there is no ${join(", ", local.missing_zips)} in ${abspath(coalesce(var.directory, "."))}. Run `make package` in a checkout of the module, or download the zips of a release, and name their directory (a relative path starts at the folder in which terraform runs). packages.s3 takes them from a bucket instead."
  }

  precondition {
    condition     = length(local.other_zips) == 0
    error_message = "${var.manifest_name} has other SHA-256 hashes than the zips beside it (packages.directory): ${join(", ", local.other_zips)}. Run `make package`, or download the release again."
  }

  # Each condition holds for what another one rejects.
  precondition {
    condition     = (local.manifest == null) == (var.manifest == null)
    error_message = "${var.manifest_name} is not JSON: it begins with ${jsonencode(substr(coalesce(var.manifest, "-"), 0, 40))}. ${local.manifest_again}."
  }

  precondition {
    condition     = local.manifest == null ? true : try(local.schema_version == local.contract.manifest_schema_version, false)
    error_message = "${var.manifest_name} ${local.schema_version == null ? "has no schema_version, so it is not the manifest of a release. ${local.manifest_again}" : "has schema_version ${jsonencode(local.schema_version)}, and this version of the module reads ${local.contract.manifest_schema_version}. Use the module of the manifest's release (the ref in its source)"}."
  }

  precondition {
    condition     = local.schema_version == null ? true : try(local.interface >= local.contract.interface.min && local.interface <= local.contract.interface.max, false)
    error_message = "${var.manifest_name} is of release ${jsonencode(try(local.manifest.release, null))}, whose functions expect the interface ${jsonencode(local.interface)}. This version of the module has ${local.contract.interface.min == local.contract.interface.max ? local.contract.interface.max : "${local.contract.interface.min} to ${local.contract.interface.max}"}. Use the module of the same release (the ref in its source), or the manifest of a release with that interface."
  }

  precondition {
    condition     = length(local.broken_entries) == 0
    error_message = "${var.manifest_name} lacks the key, the sha256, or the base64sha256 of ${join(", ", local.broken_entries)}, or has an invalid one. ${local.manifest_again}, unchanged."
  }
}

output "release" {
  description = "The release of the zips; null without a manifest."
  value       = try(local.manifest.release, null)
}
