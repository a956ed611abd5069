output "zips" {
  description = "The zip of each function, by its name, as modules/function takes it."
  value       = local.zips
}

output "release" {
  description = "The release of the zips; null without a manifest."
  value       = try(local.manifest.release, null)
}
