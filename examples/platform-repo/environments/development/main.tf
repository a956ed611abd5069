module "ai_jobs" {
  # checkov:skip=CKV_TF_1: a release is a tag, and the zips that run are pinned by their hashes
  source = "git::https://github.com/your-org/ai-jobs.git//modules/ai-jobs?ref=v0.1.0"

  name        = "acme"
  environment = "development"

  packages = {
    s3 = {
      bucket   = "acme-artifacts"
      prefix   = "ai-jobs"
      region   = "us-east-1"
      manifest = var.manifest
    }
  }

  # The same files in every environment.
  job_types = {
    for file in fileset("${path.root}/../../job-types", "*.yaml") :
    trimsuffix(file, ".yaml") => yamldecode(file("${path.root}/../../job-types/${file}"))
  }
  builtin_job_types = false

  # A place to try things in: it may be destroyed, and it must not use up the model's quota.
  processor = { maximum_concurrency = 2, batching_window_seconds = 0 }
  table     = { deletion_protection = false, point_in_time_recovery = false }
  bucket    = { force_destroy = true }
  logs      = { level = "DEBUG", retention_days = 7 }
}
