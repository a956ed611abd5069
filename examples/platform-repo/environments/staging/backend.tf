terraform {
  backend "s3" {
    bucket       = "acme-terraform-state-staging"
    key          = "ai-jobs.tfstate"
    region       = "us-east-1"
    use_lockfile = true
  }
}
