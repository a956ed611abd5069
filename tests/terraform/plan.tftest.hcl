# The plans that tests/alarms takes apart. Its alarms and dashboard: of the module as a caller gets it without settings. Its
# policies: with all that adds to them. And the options of the API, without settings of their own.

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

# Everything that a policy names, made known in the plan, in the form that it has on AWS.
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
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/one" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/one" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:123456789012:function:one"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:one/invocations"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:one" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::one" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-west-1:123456789012:table/one"
      stream_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/one/stream/2026-01-01T00:00:00.000"
    }
  }
  mock_resource "aws_api_gateway_rest_api" {
    defaults = { execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:one" }
  }
  mock_resource "aws_appconfig_application" {
    defaults = { id = "app1234" }
  }
  mock_resource "aws_appconfig_environment" {
    defaults = { environment_id = "env1234" }
  }
  mock_resource "aws_appconfig_configuration_profile" {
    defaults = { configuration_profile_id = "prf1234" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:one" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:one" }
  }
}

# Else the dashboard's JSON would only be known after an apply.
override_resource {
  target          = module.alarms.aws_cloudwatch_metric_alarm.this
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:one" }
}
override_resource {
  target          = module.alarms.aws_cloudwatch_composite_alarm.service_unhealthy
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:service" }
}

variables {
  environment = "test"
  packages    = { s3 = { bucket = "releases" } }
}

run "defaults_to_take_apart" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  assert {
    condition     = length(output.alarm_names) == 40 && length(jsondecode(output.dashboard_body).widgets) > 20
    error_message = "There are ${length(output.alarm_names)} alarms: look whether docs/runbooks.md and the README's figures still say so."
  }
}

# R-P8
run "every_policy_there_is" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  providers = { aws = aws.known }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    events      = { enabled = true }
    api = {
      resource_policy = { json = <<-EOT
        {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}
      EOT
      }
    }
    job_types = {
      foundation = { prompt = "{{ text }}", model_id = "amazon.nova-lite-v1:0", input_schema = "{\"type\": \"object\"}" }
      profile    = { prompt = "{{ text }}", model_id = "global.amazon.nova-2-lite-v1:0", input_schema = "{\"type\": \"object\"}" }
      given = {
        prompt       = "{{ text }}"
        model_id     = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
        guardrail    = { id = "abc123", version = "DRAFT" }
        input_schema = "{\"type\": \"object\"}"
      }
    }
  }

  assert {
    condition     = can(jsondecode(module.processor.role_policy))
    error_message = "The policies are not known in the plan."
  }
}

run "api_options_without_settings" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    api = {
      authorization     = "CUSTOM"
      lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who" }
      cors              = { allow_origins = ["https://app.example.com"] }
      domain            = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
    }
  }

  assert {
    condition     = output.api_url == "https://jobs.example.com"
    error_message = "The domain does not reach the API."
  }
}
