# The bucket is yours: terraform init -backend-config=backend.hcl (see backend.hcl.example).
terraform {
  backend "s3" {
    use_lockfile = true
  }
}
