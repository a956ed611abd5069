# The same in every environment: edit environments/development/versions.tf, then run `make docs`.

terraform {
  # 1.11: the S3 backend locks natively.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}
