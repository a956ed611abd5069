# The functions' zips: from the directory of `make package`, or from the bucket of `make publish`.

locals {
  limits    = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))
  contract  = local.limits.bundles
  functions = local.limits.functions

  # null without a manifest, and if it is not JSON, which a precondition of the output reports. An error message shows what its
  # condition names: the conditions name these, which are short, instead of the whole manifest.
  manifest       = var.manifest == null ? null : try(jsondecode(var.manifest), null)
  manifest_again = var.directory == null ? "Use the manifest of a release: dist/manifest.json of `make package`, or manifest-<release>.json in the bucket of `make publish`" : "Run `make package`, or download the release again"
  schema_version = try(local.manifest.schema_version, null)
  interface      = try(local.manifest.interface, null)

  # One that another precondition refuses is not listed as well.
  broken_entries = local.schema_version == null ? [] : [
    for name in local.functions : name if !can(regex("^[0-9a-f]{64} [0-9A-Za-z+/]{43}= [!-~]+$", join(" ", [
      local.manifest.functions[name].sha256, local.manifest.functions[name].base64sha256, local.manifest.functions[name].key,
    ])))
  ]
  missing_zips = var.directory == null ? [] : [
    for name in local.functions : "${name}.zip" if !try(fileexists("${var.directory}/${name}.zip"), false)
  ]

  # Without a manifest, a zip in a directory is what it is.
  other_zips = var.directory == null ? [] : [
    for name in local.functions : "${name}.zip"
    if try(filesha256("${var.directory}/${name}.zip") != local.manifest.functions[name].sha256, false)
  ]

  zips = {
    for name in local.functions : name => {
      path = var.directory == null ? null : "${var.directory}/${name}.zip"
      s3 = var.s3 == null ? null : {
        bucket       = var.s3.bucket
        key          = try(join("/", compact([trim(var.s3.prefix, "/"), local.manifest.functions[name].key])), null)
        sha256       = try(local.manifest.functions[name].sha256, null)
        base64sha256 = try(local.manifest.functions[name].base64sha256, null)
      }
    }
  }
}
