# Acme's own job types, and the layer with their code.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

resource "aws_lambda_layer_version" "this" {
  layer_name               = "acme-jobs"
  description              = "The handlers of Acme's AI job types."
  filename                 = var.layer_package
  source_code_hash         = filebase64sha256(var.layer_package)
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64", "x86_64"]

  # A rollback of the function to an earlier version of the layer must find that version.
  skip_destroy = true
}
