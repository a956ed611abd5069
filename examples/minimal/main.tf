provider "aws" {
  region = "us-east-1"
}

module "ai_jobs" {
  # checkov:skip=CKV_TF_1: a release is a tag, and the zips that run are pinned by their hashes
  source      = "git::https://github.com/your-org/ai-jobs.git//modules/ai-jobs?ref=v0.1.0"
  name        = "acme"
  environment = "development"
  packages    = { directory = "dist" }
}

output "ai_jobs" { value = module.ai_jobs }
