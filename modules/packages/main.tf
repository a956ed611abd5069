# The functions' zips: from the directory of `make package`, or from the bucket of `make publish`.

locals {
  limits    = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))
  contract  = local.limits.bundles
  functions = local.limits.functions

  manifest = var.manifest == null ? null : jsondecode(var.manifest)

  zips = {
    for name in local.functions : name => {
      path = var.directory == null ? null : "${var.directory}/${name}.zip"
      s3 = var.s3 == null ? null : {
        bucket       = var.s3.bucket
        key          = join("/", compact([trim(var.s3.prefix, "/"), local.manifest.functions[name].key]))
        base64sha256 = local.manifest.functions[name].base64sha256
      }
      # Where there is no manifest, a zip is what it is.
      sha256 = try(local.manifest.functions[name].sha256, null)
    }
  }
}
