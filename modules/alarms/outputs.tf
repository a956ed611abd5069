output "topic_arn" {
  description = "ARN of the SNS topic that the alarms notify."
  value       = aws_sns_topic.this.arn
}

output "dlq_alarm_names" {
  description = "Names of the dead-letter queue alarms by the key of the queue."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.dlq_messages : key => alarm.alarm_name }
}
