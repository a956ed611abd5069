# The same in every environment on AWS: edit environments/development/providers.tf, then run `make docs`.

provider "aws" {
  region = var.region
}
