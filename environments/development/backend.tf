# The same in every environment on AWS: edit environments/development/backend.tf, then run `make docs`.

# The bucket is yours: terraform init -backend-config=backend.hcl (see backend.hcl.example).
terraform {
  backend "s3" {
    use_lockfile = true
  }
}
