module "ai_jobs" {
  # checkov:skip=CKV_TF_1: a release is a tag, and the zips that run are pinned by their hashes
  source = "git::https://github.com/your-org/ai-jobs.git//modules/ai-jobs?ref=v0.1.0"

  name        = "acme"
  environment = "production"

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

  processor = { maximum_concurrency = 20 }
  logs      = { retention_days = 90 }
  budget    = { daily_tokens_per_user = 200000, daily_tokens_total = 20000000 }

  alarms = {
    email_addresses      = ["platform@acme.example"]
    page_email_addresses = ["on-call@acme.example"]
  }
}
