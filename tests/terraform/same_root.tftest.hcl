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
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "Z0V5oisvAcrGqaaNmRFRao6uFzgSqQhBvRL/wgkClq0=" }
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

# The sums that modules/function checks are checked by the plan, although some of what they count is not known yet.
run "sums_of_what_is_not_known" {
  command = plan

  module {
    source = "./fixtures/unknown_values"
  }

  # {"AI_JOB_BUILD":"...","LIST":"a,b","QUEUE_URL":"..."}
  assert {
    condition     = output.environment_bytes == 47 + length(output.build) + 140 && output.policy_characters < 1000
    error_message = "The sums are not what was counted by hand: ${output.environment_bytes} and ${output.policy_characters}."
  }
}
