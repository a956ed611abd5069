# The alarms leaf: the topics, and what each alarm looks at. When they fire is tested by running them over data: tests/alarms.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:own" }
  }
  # Known, and another for each alarm.
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = {}
  }
}

override_resource {
  target          = aws_cloudwatch_composite_alarm.service_unhealthy
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:service" }
}

variables {
  name_prefix = "acme-ai-job-"
  name_suffix = "-test"
  runbook_url = "https://wiki.example.com/runbooks"
  topic_names = { alarms = "alarms-test", pages = "pages-test" }

  queues = {
    request  = { name = "request-test", meaning = "the worker is slow." }
    response = { name = "response-test", meaning = "results wait." }
  }
  dead_letter_queues = {
    request  = { queue_name = "request-dlq-test", meaning = "jobs that were given up." }
    response = { queue_name = "response-dlq-test", meaning = "results that could not be written." }
  }
  functions = {
    processor  = { name = "processor-test", timeout_seconds = 900, errors_mean = "Jobs come back.", concurrency_limit = 10 }
    jobs-api   = { name = "jobs-api-test", timeout_seconds = 10, errors_mean = "Callers get a 5xx." }
    publisher  = { name = "publisher-test", timeout_seconds = 60, errors_mean = "Events come again.", reads_stream = true }
    reconciler = { name = "reconciler-test", timeout_seconds = 120, errors_mean = "Jobs stay open." }
  }
  api               = { name = "api-test", stage_name = "v1" }
  table_name        = "jobs-test"
  metrics_namespace = "acme-ai-jobs-test"

  tags = { Environment = "test", Team = "jobs" }

  reconciler_enabled          = true
  reconciler_interval_minutes = 5
  thresholds = {
    request_queue_depth             = 1000
    oldest_message_age_seconds      = 300
    processing_rate_jobs_per_minute = 0.2
    waiting_jobs                    = 10
    failed_jobs_percent             = 20
    failed_jobs_minimum             = 5
    oldest_open_job_seconds         = 3600
    function_errors                 = 0
    duration_percent                = 90
    concurrency_percent             = 90
    api_error_percent               = 5
    api_latency_ms                  = 3000
    table_throttles                 = 0
    event_delay_seconds             = 600
  }
}

run "alarms" {
  command = plan

  module {
    source = "../../modules/alarms"
  }

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "api-errors", "api-latency", "budget-waits", "failed-jobs", "jobs-api-duration", "jobs-api-errors", "jobs-api-throttles", "jobs-waiting",
      "oldest-open-job", "post-errors", "processing-rate", "processor-concurrency", "processor-duration", "processor-errors",
      "processor-throttles", "publisher-delay", "publisher-duration", "publisher-errors", "publisher-throttles", "reconciler-duration", "reconciler-errors", "reconciler-silent", "reconciler-throttles",
      "request-dlq-growth", "request-dlq-messages", "request-queue-age", "request-queue-depth", "response-dlq-growth",
      "response-dlq-messages", "response-queue-age", "service-failures", "stalled-jobs", "standstill", "table-throttles",
    ])
    error_message = "The alarms are ${join(", ", keys(aws_cloudwatch_metric_alarm.this))}."
  }
  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name == "acme-ai-job-${key}-test"])
    error_message = "An alarm's name does not say which one it is, or of which environment."
  }

  # R-M1
  assert {
    condition = { for key in ["request", "response"] : key => aws_cloudwatch_metric_alarm.this["${key}-dlq-messages"].dimensions["QueueName"] } == {
      request  = "request-dlq-test"
      response = "response-dlq-test"
    }
    error_message = "Each dead-letter queue must have an alarm of its own."
  }

  # R-M1 R-E4: NumberOfMessagesSent does not count what SQS itself moves into a dead-letter queue.
  assert {
    condition = alltrue([
      for key in ["request-dlq-messages", "response-dlq-messages"] :
      aws_cloudwatch_metric_alarm.this[key].namespace == "AWS/SQS" &&
      aws_cloudwatch_metric_alarm.this[key].metric_name == "ApproximateNumberOfMessagesVisible"
    ])
    error_message = "The alarms must look at the messages that are there."
  }

  # R-M2
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["request-queue-depth"].metric_name == "ApproximateNumberOfMessagesVisible" &&
      aws_cloudwatch_metric_alarm.this["request-queue-depth"].dimensions == tomap({ QueueName = "request-test" }) &&
      aws_cloudwatch_metric_alarm.this["request-queue-depth"].threshold == 1000
    )
    error_message = "The depth of the request queue is not watched."
  }

  # R-M3
  assert {
    condition = alltrue([
      for key in ["request", "response"] :
      aws_cloudwatch_metric_alarm.this["${key}-queue-age"].metric_name == "ApproximateAgeOfOldestMessage" &&
      aws_cloudwatch_metric_alarm.this["${key}-queue-age"].dimensions == tomap({ QueueName = "${key}-test" }) &&
      aws_cloudwatch_metric_alarm.this["${key}-queue-age"].threshold == 300
    ])
    error_message = "A main queue's oldest message may be older than 5 minutes without an alarm."
  }

  # The gateway's latency is long on purpose where somebody waits for a job.
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["api-latency"].namespace == "acme-ai-jobs-test" &&
      aws_cloudwatch_metric_alarm.this["api-latency"].metric_name == "RequestTime" &&
      aws_cloudwatch_metric_alarm.this["api-latency"].dimensions == tomap({ service = "ai-jobs" }) &&
      aws_cloudwatch_metric_alarm.this["api-latency"].extended_statistic == "p99"
    )
    error_message = "The API's latency must be watched without the time that callers ask it to wait."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["publisher-delay"].namespace == "AWS/Lambda" &&
      aws_cloudwatch_metric_alarm.this["publisher-delay"].metric_name == "IteratorAge" &&
      aws_cloudwatch_metric_alarm.this["publisher-delay"].dimensions == tomap({ FunctionName = "publisher-test" }) &&
      aws_cloudwatch_metric_alarm.this["publisher-delay"].threshold == 600000
    )
    error_message = "A function that falls behind its stream must be noticed."
  }

  # R-M4
  assert {
    condition = toset([
      for query in aws_cloudwatch_metric_alarm.this["processing-rate"].metric_query :
      "${query.metric[0].metric_name} ${join(" ", values(query.metric[0].dimensions))}" if length(query.metric) == 1
      ]) == toset([
      "ApproximateNumberOfMessagesVisible request-test", "ApproximateNumberOfMessagesNotVisible request-test",
      "ApproximateNumberOfMessagesDelayed request-test", "ApproximateNumberOfMessagesVisible response-test",
      "ApproximateNumberOfMessagesNotVisible response-test", "ApproximateNumberOfMessagesDelayed response-test",
      "JobsCompleted ai-jobs", "JobsFailed ai-jobs",
    ])
    error_message = "The processing rate must be of jobs that ended, while there is work in any form."
  }
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      length([for query in alarm.metric_query : query if query.return_data == true]) == (length(alarm.metric_query) == 0 ? 0 : 1)
    ])
    error_message = "An alarm over an expression must look at the expression, and at nothing else."
  }

  # SQS, Lambda and API Gateway report by exactly these dimensions: with others an alarm sees nothing.
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this : contains(
        {
          "AWS/SQS"           = ["QueueName"]
          "AWS/Lambda"        = ["FunctionName"]
          "AWS/ApiGateway"    = ["ApiName Stage"]
          "acme-ai-jobs-test" = ["service"]
        }[alarm.namespace], join(" ", keys(alarm.dimensions)),
      ) if alarm.namespace != null
    ])
    error_message = "An alarm has dimensions by which AWS does not report."
  }
  assert {
    condition = alltrue(flatten([
      for alarm in aws_cloudwatch_metric_alarm.this : [
        for query in alarm.metric_query : contains(
          {
            "AWS/SQS"           = ["QueueName"]
            "AWS/ApiGateway"    = ["ApiName Stage", "ApiName Method Resource Stage"]
            "AWS/DynamoDB"      = ["TableName", "GlobalSecondaryIndexName TableName"]
            "acme-ai-jobs-test" = ["service"]
          }[query.metric[0].namespace], join(" ", keys(query.metric[0].dimensions)),
        ) if length(query.metric) == 1
      ]
    ]))
    error_message = "An alarm over an expression has dimensions by which AWS does not report."
  }

  # Of the functions' own limits.
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["processor-duration"].threshold == 810000 &&
      aws_cloudwatch_metric_alarm.this["jobs-api-duration"].threshold == 9000 &&
      aws_cloudwatch_metric_alarm.this["processor-concurrency"].threshold == 9
    )
    error_message = "A function's duration or concurrency is not measured by its own limit."
  }

  # R-E4
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset([aws_sns_topic.this["alarms"].arn]) && alarm.ok_actions == toset([aws_sns_topic.this["alarms"].arn]) && alarm.actions_enabled != false
    ])
    error_message = "The alarms must notify the topic, when they fire and when they are over."
  }
  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      strcontains(alarm.alarm_description, "https://wiki.example.com/runbooks#${key}") &&
      strcontains(alarm.alarm_description, "Missing data: ${alarm.treat_missing_data}, since ") && length(alarm.alarm_description) <= 1024
    ])
    error_message = "A description must name its section of the runbooks, and say why missing data is treated so."
  }
  assert {
    condition = alltrue([
      for key, queue in var.dead_letter_queues : alltrue([
        for alarm in ["${key}-dlq-messages", "${key}-dlq-growth"] :
        strcontains(aws_cloudwatch_metric_alarm.this[alarm].alarm_description, queue.meaning) &&
        strcontains(aws_cloudwatch_metric_alarm.this[alarm].alarm_description, queue.queue_name)
      ])
    ])
    error_message = "The description must say which queue it is, and what a message in it means."
  }

  assert {
    condition = (
      aws_cloudwatch_composite_alarm.service_unhealthy.alarm_name == "acme-ai-job-service-unhealthy-test" &&
      aws_cloudwatch_composite_alarm.service_unhealthy.alarm_actions == toset([aws_sns_topic.this["pages"].arn]) &&
      aws_cloudwatch_composite_alarm.service_unhealthy.alarm_rule == join(" OR ", concat(
        [for key in ["api-errors", "post-errors", "service-failures", "stalled-jobs", "standstill"] : "ALARM(\"acme-ai-job-${key}-test\")"],
        ["(ALARM(\"acme-ai-job-oldest-open-job-test\") AND NOT ALARM(\"acme-ai-job-budget-waits-test\"))"],
      ))
    )
    error_message = "The composite alarm must page for an outage, and for nothing that stays until somebody acts."
  }

  # CloudWatch may not use alias/aws/sns: its alarms would stop silently.
  assert {
    condition     = { for key, topic in aws_sns_topic.this : key => topic.name } == { alarms = "alarms-test", pages = "pages-test" } && alltrue([for topic in aws_sns_topic.this : topic.kms_master_key_id == null])
    error_message = "The topics must have no key that CloudWatch may not use."
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody asked for mails."
  }

  # R-Q5
  assert {
    condition = alltrue([
      for resource in concat(values(aws_sns_topic.this), values(aws_cloudwatch_metric_alarm.this), [aws_cloudwatch_composite_alarm.service_unhealthy]) :
      resource.tags == tomap(var.tags)
    ])
    error_message = "The topics and the alarms must carry the tags."
  }

  assert {
    condition = (
      output.topic_arn == aws_sns_topic.this["alarms"].arn && output.page_topic_arn == aws_sns_topic.this["pages"].arn &&
      output.topic_arns == tolist(["arn:aws:sns:eu-west-1:123456789012:own"]) &&
      output.alarm_names["stalled-jobs"] == "acme-ai-job-stalled-jobs-test" && length(output.alarm_arns) == length(output.alarm_names) &&
      output.service_alarm_name == "acme-ai-job-service-unhealthy-test" && output.service_alarm_arn == aws_cloudwatch_composite_alarm.service_unhealthy.arn
    )
    error_message = "The outputs must be the topics' ARNs, and the names and ARNs of the alarms."
  }

  assert {
    condition = output.paging_alarm_arns == concat([aws_cloudwatch_composite_alarm.service_unhealthy.arn], [
      for key in ["api-errors", "post-errors", "service-failures", "stalled-jobs", "standstill", "oldest-open-job"] :
      aws_cloudwatch_metric_alarm.this[key].arn
    ])
    error_message = "The alarms that page are not the composite one and those that set it off."
  }
}

run "without_a_reconciler" {
  command = plan

  module {
    source = "../../modules/alarms"
  }

  variables {
    reconciler_enabled = false
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "reconciler-silent")
    error_message = "A reconciler that is off on purpose is told of."
  }
}

run "with_a_key_and_mails" {
  command = plan

  module {
    source = "../../modules/alarms"
  }

  variables {
    topic_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/k"
    email_addresses      = ["ops@example.com", "dev@example.com"]
    page_email_addresses = ["ops@example.com"]
  }

  assert {
    condition     = alltrue([for topic in aws_sns_topic.this : topic.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/k"])
    error_message = "A topic is without the customer's key."
  }
  assert {
    condition     = toset([for found in aws_sns_topic_subscription.email : "${found.protocol} ${found.endpoint}"]) == toset(["email ops@example.com", "email dev@example.com"]) && length(aws_sns_topic_subscription.email) == 3
    error_message = "Somebody is not subscribed."
  }
}

run "topics_of_the_callers" {
  command = plan

  module {
    source = "../../modules/alarms"
  }

  variables {
    topic_arns      = ["arn:aws:sns:eu-west-1:123456789012:chat", "arn:aws:sns:eu-west-1:123456789012:log"]
    page_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:pager"]
  }

  assert {
    condition     = length(aws_sns_topic.this) == 0 && output.topic_arn == null && output.page_topic_arn == null
    error_message = "There is a topic that nobody uses."
  }
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset(var.topic_arns) && alarm.ok_actions == toset(var.topic_arns)
    ]) && aws_cloudwatch_composite_alarm.service_unhealthy.alarm_actions == toset(var.page_topic_arns)
    error_message = "The caller's topics are not notified."
  }
}

run "mails_need_the_modules_own_topic" {
  command = plan

  module {
    source = "../../modules/alarms"
  }

  variables {
    topic_arns           = ["arn:aws:sns:eu-west-1:123456789012:chat"]
    page_topic_arns      = ["arn:aws:sns:eu-west-1:123456789012:pager"]
    email_addresses      = ["ops@example.com"]
    page_email_addresses = ["ops@example.com"]
  }

  expect_failures = [var.email_addresses, var.page_email_addresses]
}
