# A job type whose work is Acme's own Python function, in a Lambda layer.

provider "aws" {
  region = var.region
}

module "acme_jobs" {
  source = "./acme-jobs"

  layer_package = var.layer_package
}

module "ai_jobs" {
  # checkov:skip=CKV_TF_1: a release is a tag, and the zips that run are pinned by their hashes
  source = "git::https://github.com/your-org/ai-jobs.git//modules/ai-jobs?ref=v0.1.0"

  name        = "acme"
  environment = "production"
  packages    = { directory = var.packages_directory }

  job_types = module.acme_jobs.job_types
  processor = { layers = [module.acme_jobs.layer_arn] }

  # Outside us-east-1, most models are called through an inference profile for the geography.
  default_model_id = "eu.amazon.nova-lite-v1:0"
}
