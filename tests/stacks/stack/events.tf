# Somebody who listens to the events: a rule, and a queue that it sends to (docs/events.md has the same).

resource "aws_sqs_queue" "listener" {
  name = "integration-events-listener"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "*"
    }]
  })
}

resource "aws_cloudwatch_event_rule" "ended_jobs" {
  name = "integration-ended-jobs"

  event_pattern = jsonencode({
    source      = ["ai-jobs"]
    detail-type = ["AI Job Completed", "AI Job Failed", "AI Job Cancelled"]
    resources   = [module.ai_jobs.table_arn]
  })
}

resource "aws_cloudwatch_event_target" "listener" {
  rule = aws_cloudwatch_event_rule.ended_jobs.name
  arn  = aws_sqs_queue.listener.arn
}

output "listener_queue_url" { value = aws_sqs_queue.listener.url }
output "events_dlq_url" { value = module.ai_jobs.events_dlq_url }
output "event_publisher_function_name" { value = module.ai_jobs.event_publisher_function_name }
output "event_publisher_role_name" { value = module.ai_jobs.event_publisher_role_name }
output "event_bus_arn" { value = module.ai_jobs.event_bus_arn }
output "table_arn" { value = module.ai_jobs.table_arn }
