# Not encrypted with alias/aws/sns: CloudWatch may not use that key, and its alarms would stop
# silently. A topic without a key is reached over TLS and holds no job data, only alarm states.
resource "aws_sns_topic" "this" {
  name = var.topic_name
  tags = var.tags
}

# NumberOfMessagesSent does not count what SQS itself moves into a dead-letter queue, so the alarm
# looks at what is there. An idle DLQ reports nothing at all: missing data is good news.
resource "aws_cloudwatch_metric_alarm" "dlq_messages" {
  for_each = var.dead_letter_queues

  alarm_name        = "${each.value.queue_name}-messages"
  alarm_description = "${each.value.queue_name} holds messages: ${each.value.meaning}"

  namespace   = "AWS/SQS"
  metric_name = "ApproximateNumberOfMessagesVisible"
  dimensions  = { QueueName = each.value.queue_name }
  statistic   = "Maximum"

  # The first message fires. But the reconciler hides what it looks at for a moment every few minutes, and a minute that
  # looks empty for that reason must not end the alarm and fire it anew.
  evaluation_periods  = 5
  datapoints_to_alarm = 1

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.this.arn]
  ok_actions    = [aws_sns_topic.this.arn]

  tags = var.tags
}
