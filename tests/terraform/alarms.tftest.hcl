# The alarms leaf: the topic and one alarm for each dead-letter queue.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:alarms-test" }
  }
}

variables {
  topic_name = "alarms-test"
  dead_letter_queues = {
    request  = { queue_name = "request-dlq-test", meaning = "jobs that were given up." }
    response = { queue_name = "response-dlq-test", meaning = "results that could not be written." }
  }
  tags = { Environment = "test", Team = "jobs" }
}

run "alarms" {
  command = plan

  module {
    source = "../../modules/alarms"
  }

  # R-M1
  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.dlq_messages : key => [alarm.alarm_name, alarm.dimensions["QueueName"]] } == {
      request  = ["request-dlq-test-messages", "request-dlq-test"]
      response = ["response-dlq-test-messages", "response-dlq-test"]
    }
    error_message = "Each dead-letter queue must have an alarm of its own."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.dlq_messages : length(alarm.dimensions) == 1])
    error_message = "SQS reports by QueueName alone: with another dimension an alarm sees nothing."
  }

  # R-M1 R-E4: NumberOfMessagesSent does not count what SQS itself moves into a dead-letter queue.
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.dlq_messages :
      alarm.namespace == "AWS/SQS" && alarm.metric_name == "ApproximateNumberOfMessagesVisible"
    ])
    error_message = "The alarms must look at the messages that are there."
  }
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.dlq_messages :
      alarm.comparison_operator == "GreaterThanThreshold" && alarm.threshold == 0 && alarm.statistic == "Maximum" &&
      alarm.period == 60 && alarm.evaluation_periods == 5 && alarm.datapoints_to_alarm == 1
    ])
    error_message = "One message for one minute must be enough, and one minute that looks empty must not end it."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.dlq_messages : alarm.treat_missing_data == "notBreaching"])
    error_message = "An idle queue reports nothing, and that is no alarm."
  }

  # R-E4
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.dlq_messages :
      alarm.alarm_actions == toset([aws_sns_topic.this.arn]) && alarm.ok_actions == toset([aws_sns_topic.this.arn]) && alarm.actions_enabled != false
    ])
    error_message = "The alarms must notify the topic, when they fire and when they are over."
  }
  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.dlq_messages :
      strcontains(alarm.alarm_description, var.dead_letter_queues[key].meaning) &&
      strcontains(alarm.alarm_description, var.dead_letter_queues[key].queue_name)
    ])
    error_message = "The description must say which queue it is, and what a message in it means."
  }

  # CloudWatch may not use alias/aws/sns: its alarms would stop silently.
  assert {
    condition     = aws_sns_topic.this.name == "alarms-test" && aws_sns_topic.this.kms_master_key_id == null
    error_message = "The topic must have no key that CloudWatch may not use: ${coalesce(aws_sns_topic.this.kms_master_key_id, "none")}"
  }

  # R-Q5
  assert {
    condition = aws_sns_topic.this.tags == tomap(var.tags) && alltrue([
      for alarm in aws_cloudwatch_metric_alarm.dlq_messages : alarm.tags == tomap(var.tags)
    ])
    error_message = "The topic and the alarms must carry the tags."
  }

  assert {
    condition = output.topic_arn == aws_sns_topic.this.arn && output.dlq_alarm_names == {
      request  = "request-dlq-test-messages"
      response = "response-dlq-test-messages"
    }
    error_message = "The outputs must be the topic's ARN and the names of the alarms."
  }
}
