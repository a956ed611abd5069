# The plan whose alarms and dashboard tests/alarms takes apart: the module as a caller gets it without settings.

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
