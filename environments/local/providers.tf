# An emulator on this machine. AWS_ENDPOINT_URL says where, AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY are any values; `make local-up` sets all three.
provider "aws" {
  region = var.region

  # Without AWS_ENDPOINT_URL the calls would go to AWS: this is the account of the emulator, and the
  # provider stops at any other.
  allowed_account_ids = ["000000000000"]

  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}
