output "topic_arn" {
  description = "ARN of the module's own topic for notifications; null if the caller names topics."
  value       = try(aws_sns_topic.this["alarms"].arn, null)
}

output "page_topic_arn" {
  description = "ARN of the module's own topic for pages; null if the caller names topics."
  value       = try(aws_sns_topic.this["pages"].arn, null)
}

output "topic_arns" {
  description = "ARNs of all topics that alarms notify."
  value       = distinct(concat(local.topic_arns.alarms, local.topic_arns.pages))
}

output "alarm_names" {
  description = "Names of the metric alarms by key, which is also the name of their section in the runbooks."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_name }
}

output "alarm_arns" {
  description = "ARNs of the metric alarms by key."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "service_alarm_name" {
  description = "Name of the composite alarm that pages."
  value       = aws_cloudwatch_composite_alarm.service_unhealthy.alarm_name
}

output "service_alarm_arn" {
  description = "ARN of the composite alarm that pages."
  value       = aws_cloudwatch_composite_alarm.service_unhealthy.arn
}

output "paging_alarm_arns" {
  description = "ARNs of the composite alarm that pages, and of the alarms that set it off."
  value = concat(
    [aws_cloudwatch_composite_alarm.service_unhealthy.arn],
    [for key in concat(local.paging, ["oldest-open-job"]) : aws_cloudwatch_metric_alarm.this[key].arn],
  )
}
