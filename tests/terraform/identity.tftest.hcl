# A changed name, environment, region, or account would destroy the queues with their jobs: the plan refuses it, as long as anything
# is protected (modules/ai-jobs/guard.tf; what an apply does is in test_guard.py).

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "Z0V5oisvAcrGqaaNmRFRao6uFzgSqQhBvRL/wgkClq0=" }
  }
}

# What an earlier apply has left in the state.
override_resource {
  target          = terraform_data.identity
  override_during = plan
  values          = { output = { name = "acme", environment = "production", region = "eu-west-1", account = "123456789012" } }
}

variables {
  name        = "acme"
  environment = "production"
  packages    = { s3 = { bucket = "releases", manifest = "fixtures/packages/manifest.json" } }
}

run "the_same" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }
}

run "another_name" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    name = "acme-2"
  }

  expect_failures = [terraform_data.identity]
}

run "another_environment" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    environment = "staging"
    table       = { deletion_protection = false }
  }

  expect_failures = [terraform_data.identity]
}

run "another_region" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  override_data {
    target = data.aws_region.current
    values = { id = "us-east-1" }
  }

  expect_failures = [terraform_data.identity]
}

run "another_name_without_protection" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    name   = "acme-2"
    table  = { deletion_protection = false }
    bucket = { force_destroy = true }
  }
}
