# Events: which leaf is given what, on which bus, and what is left out when they are turned off.

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

override_resource {
  target          = module.store.aws_dynamodb_table.this
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:::jobs", stream_arn = "arn:aws:dynamodb:::jobs/stream/1" }
}
override_resource {
  target          = module.event_publisher[0].aws_sqs_queue.failures
  override_during = plan
  values          = { arn = "arn:aws:sqs:::events-dlq", url = "https://sqs/events-dlq" }
}
override_resource {
  target          = module.event_publisher[0].aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:::event-publisher" }
}
override_resource {
  target          = module.alarms.aws_cloudwatch_metric_alarm.this
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:::alarm" }
}
override_resource {
  target          = module.alarms.aws_cloudwatch_composite_alarm.service_unhealthy
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:::service" }
}

variables {
  environment = "test"
  packages    = { s3 = { bucket = "releases" } }
}

run "by_default" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  assert {
    condition = (
      output.inside.event_publisher["aws_lambda_function.this"].function_name == "bayon-coagent-ai-job-event-publisher-test" &&
      output.inside.event_publisher["aws_lambda_function.this"].handler == "event_publisher.handler.handler" &&
      output.inside.event_publisher["aws_lambda_function.this"].timeout == 60 &&
      output.inside.event_publisher["aws_iam_role.this"].name == "bayon-coagent-ai-job-events-test-eu-west-1" &&
      output.inside.event_publisher["aws_sqs_queue.failures[0]"].name == "bayon-coagent-ai-job-events-dlq-test"
    )
    error_message = "The publisher's function, role or queue is not the agreed one."
  }
  assert {
    condition = (
      output.inside.event_publisher["aws_lambda_event_source_mapping.stream[0]"].event_source_arn == "arn:aws:dynamodb:::jobs/stream/1" &&
      output.inside.store["aws_dynamodb_table.this"].stream_view_type == "NEW_AND_OLD_IMAGES"
    )
    error_message = "The publisher is not triggered by the jobs table's stream."
  }
  # A change that this does not let through is no event, whatever the function would say.
  assert {
    condition = [
      for filter in output.inside.event_publisher["aws_lambda_event_source_mapping.stream[0]"].filter_criteria[0].filter : jsondecode(filter.pattern)
      ] == [{
        eventName = ["INSERT", "MODIFY"]
        dynamodb  = { NewImage = { status = { S = ["completed", "failed", "cancelled"] }, completedAt = { S = [{ exists = true }] } } }
    }]
    error_message = "The filter does not let exactly the rows of ended jobs through."
  }
  assert {
    condition = module.event_publisher[0].environment_variables == tomap({
      AI_JOB_BUILD                 = "0.1.0+unversioned"
      POWERTOOLS_SERVICE_NAME      = "ai-job-event-publisher"
      POWERTOOLS_LOG_LEVEL         = "INFO"
      AI_JOB_EVENT_BUS_ARN         = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
      AI_JOB_TABLE_ARN             = "arn:aws:dynamodb:::jobs"
      AI_JOB_EVENTS_INCLUDE_RESULT = "false"
      AI_JOB_FAILURE_QUEUE_URL     = "https://sqs/events-dlq"
    })
    error_message = "The publisher's environment variables are ${jsonencode(module.event_publisher[0].environment_variables)}."
  }
  assert {
    condition = { for statement in jsondecode(module.event_publisher[0].role_policy).Statement : statement.Sid => [statement.Action, statement.Resource] } == {
      WriteOwnLogs  = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:::event-publisher:*"]]
      WriteTraces   = [["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]]
      ReadStream    = [["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], ["arn:aws:dynamodb:::jobs/stream/1"]]
      FindStream    = [["dynamodb:ListStreams"], ["*"]]
      GiveUpRecords = [["sqs:SendMessage"], ["arn:aws:sqs:::events-dlq"]]
      PublishEvents = [["events:PutEvents"], ["arn:aws:events:eu-west-1:123456789012:event-bus/default"]]
    }
    error_message = "The publisher may do other things than it should: ${module.event_publisher[0].role_policy}"
  }
  assert {
    condition = (
      output.event_publisher_function_name == "bayon-coagent-ai-job-event-publisher-test" &&
      output.event_publisher_role_name == "bayon-coagent-ai-job-events-test-eu-west-1" &&
      output.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default" &&
      output.events_dlq_url == "https://sqs/events-dlq" && output.events_dlq_arn == "arn:aws:sqs:::events-dlq"
    )
    error_message = "The outputs do not describe the events."
  }
  # R-M1
  assert {
    condition = (
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[events-dlq-messages]"].dimensions == tomap({ QueueName = "bayon-coagent-ai-job-events-dlq-test" }) &&
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[event-publisher-delay]"].dimensions == tomap({ FunctionName = "bayon-coagent-ai-job-event-publisher-test" }) &&
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[event-publisher-duration]"].threshold == 54000 &&
      strcontains(output.dashboard_body, "bayon-coagent-ai-job-events-dlq-test") && strcontains(output.dashboard_body, "IteratorAge")
    )
    error_message = "Events that are not published are not noticed or not shown."
  }
}

run "on_a_bus_of_the_callers_with_results" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    events = {
      event_bus      = { arn = "arn:aws:events:eu-west-1:210987654321:event-bus/platform" }
      include_result = true
    }
    alarms      = { thresholds = { event_delay_seconds = 60 } }
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    require_tls = false
  }

  assert {
    condition = (
      module.event_publisher[0].environment_variables.AI_JOB_EVENT_BUS_ARN == "arn:aws:events:eu-west-1:210987654321:event-bus/platform" &&
      module.event_publisher[0].environment_variables.AI_JOB_EVENTS_INCLUDE_RESULT == "true" &&
      [for statement in jsondecode(module.event_publisher[0].role_policy).Statement : statement.Resource if statement.Sid == "PublishEvents"] == [["arn:aws:events:eu-west-1:210987654321:event-bus/platform"]] &&
      output.event_bus_arn == "arn:aws:events:eu-west-1:210987654321:event-bus/platform"
    )
    error_message = "Events do not go to the given bus, or not as they should be."
  }
  # R-Q6: the table's stream is encrypted as the table is.
  assert {
    condition = (
      output.inside.event_publisher["aws_sqs_queue.failures[0]"].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0001" &&
      !can(jsondecode(output.inside.event_publisher["aws_sqs_queue.failures[0]"].policy)) &&
      [for statement in jsondecode(module.event_publisher[0].role_policy).Statement : statement.Action if statement.Sid == "UseCustomerKey"] == [["kms:Decrypt", "kms:GenerateDataKey"]]
    )
    error_message = "The customer key or require_tls does not reach the publisher's queue and role."
  }
  assert {
    condition     = output.inside.alarms["aws_cloudwatch_metric_alarm.this[event-publisher-delay]"].threshold == 60000
    error_message = "event_delay_seconds does not reach its alarm."
  }
}

run "turned_off" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    events = { enabled = false }
  }

  assert {
    condition = (
      length(output.inside.event_publisher) == 0 && output.inside.store["aws_dynamodb_table.this"].stream_enabled == false &&
      output.event_publisher_function_name == null && output.event_publisher_role_name == null && output.event_bus_arn == null &&
      output.events_dlq_url == null && output.events_dlq_arn == null
    )
    error_message = "Without events there must be neither function nor stream."
  }
  assert {
    condition = (
      length([for name in output.alarm_names : name if strcontains(name, "event")]) == 0 && !strcontains(output.dashboard_body, "IteratorAge")
    )
    error_message = "Without events there must be no alarm and no chart of them."
  }
}

run "a_bus_by_name_is_refused" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    events = { event_bus = { arn = "platform" } }
  }

  expect_failures = [var.events]
}
