# The plans of examples/* that pytest takes apart: tests/plans.py reads them, by the name of their run. A run asserts nothing; it says
# what is given. (examples/existing-queues is not here: Terraform allows import blocks only in the root. tests/examples plans and applies it.)

# As at the first plan in an account: what only AWS knows is unknown.
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

# The same in the region that an example without a variable for it names.
mock_provider "aws" {
  alias = "virginia"

  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
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

# As at the next one: everything is known, in the form that it has on AWS.
mock_provider "aws" {
  alias           = "known"
  override_during = plan

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
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_subnet" {
    defaults = { id = "subnet-0a1b" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0a1b" }
  }
  mock_resource "aws_vpc_endpoint" {
    defaults = { prefix_list_id = "pl-0a1b" }
  }
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:event-bus/acme-platform" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/acme-platform/failed" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/one" }
  }
  mock_resource "aws_lambda_layer_version" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:1" }
  }
  mock_resource "aws_api_gateway_stage" {
    defaults = { execution_arn = "arn:aws:execute-api:::api1/v1", invoke_url = "https://api1/v1" }
  }
  override_resource {
    target = module.ai_jobs.module.request_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:::request", url = "https://sqs/request" }
  }
  override_resource {
    target = module.ai_jobs.module.request_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:::request-dlq", url = "https://sqs/request-dlq" }
  }
  override_resource {
    target = module.ai_jobs.module.response_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:::response", url = "https://sqs/response" }
  }
  override_resource {
    target = module.ai_jobs.module.response_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:::response-dlq", url = "https://sqs/response-dlq" }
  }
  override_resource {
    target = module.ai_jobs.module.alarms.aws_sns_topic.this
    values = { arn = "arn:aws:sns:eu-west-1:123456789012:acme-ai-job-alarms-production" }
  }
}

variables {
  packages_bucket   = "releases"
  packages_manifest = "fixtures/packages/manifest.json"
  manifest          = "fixtures/packages/manifest.json"
  domain_name       = "jobs.example.com"
  certificate_arn   = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
  hosted_zone_id    = "ZONE1"
  alarm_email       = "on-call@example.com"
}

run "minimal" {
  command = plan

  module {
    source = "../../examples/minimal"
  }

  providers = { aws = aws.virginia }
}

run "complete_in_a_new_account" {
  command = plan

  module {
    source = "../../examples/complete"
  }
}

run "complete" {
  command = plan

  module {
    source = "../../examples/complete"
  }

  providers = { aws = aws.known }
}

run "custom_handler" {
  command = plan

  module {
    source = "../../examples/custom-handler"
  }

  providers = { aws = aws.known }

  variables {
    layer_package = "fixtures/packages/processor.zip" # any file: what is in it, only Lambda looks at
  }
}

run "platform_development" {
  command = plan

  module {
    source = "../../examples/platform-repo/environments/development"
  }

  providers = { aws = aws.virginia }
}

run "platform_staging" {
  command = plan

  module {
    source = "../../examples/platform-repo/environments/staging"
  }

  providers = { aws = aws.virginia }
}

run "platform_production" {
  command = plan

  module {
    source = "../../examples/platform-repo/environments/production"
  }

  providers = { aws = aws.virginia }
}
