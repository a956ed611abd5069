# Nothing that the API is given has to be known before the apply, but for what a for_each or a count depends on.

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
}

run "cognito" {
  command = plan

  module {
    source = "./fixtures/same_root"
  }

  variables {
    authorization = "COGNITO_USER_POOLS"
  }

  assert {
    condition     = output.api_url == "https://jobs.example.com" && join(",", output.api_key_names) == "web"
    error_message = "The domain and the names of the keys must be known before the apply."
  }
}

run "custom" {
  command = plan

  module {
    source = "./fixtures/same_root"
  }

  variables {
    authorization = "CUSTOM"
  }

  assert {
    condition     = output.api_url == "https://jobs.example.com" && join(",", output.api_key_names) == "web"
    error_message = "The domain and the names of the keys must be known before the apply."
  }
}
