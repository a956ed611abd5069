output "request_queue_url" {
  description = "URL of the request queue."
  value       = module.request_queue.url
}

output "request_queue_arn" {
  description = "ARN of the request queue."
  value       = module.request_queue.arn
}

output "response_queue_url" {
  description = "URL of the response queue."
  value       = module.response_queue.url
}

output "response_queue_arn" {
  description = "ARN of the response queue."
  value       = module.response_queue.arn
}

output "request_dlq_url" {
  description = "URL of the request dead-letter queue."
  value       = module.request_queue.dlq_url
}

output "request_dlq_arn" {
  description = "ARN of the request dead-letter queue."
  value       = module.request_queue.dlq_arn
}

output "response_dlq_url" {
  description = "URL of the response dead-letter queue."
  value       = module.response_queue.dlq_url
}

output "response_dlq_arn" {
  description = "ARN of the response dead-letter queue."
  value       = module.response_queue.dlq_arn
}

output "api_url" {
  description = "URL of the API, on its own domain if it has one. docs/api.md describes what it offers, e.g. PUT <api_url>/jobs/{jobId}."
  value       = module.api.url
}

output "api_id" {
  description = "Id of the REST API."
  value       = module.api.id
}

output "api_stage_name" {
  description = "Name of the API's stage."
  value       = module.api.stage_name
}

output "api_execution_arn" {
  description = "ARN to allow execute-api:Invoke on, e.g. <api_execution_arn>/POST/jobs."
  value       = module.api.execution_arn
}

output "api_key_ids" {
  description = "Ids of the API keys by name. To get a key's value: aws apigateway get-api-key --include-value --api-key ID."
  value       = module.api.api_key_ids
}

output "api_domain_target" {
  description = "Name that the DNS record of the API's domain must point to; null without a domain."
  value       = module.api.domain_target
}

output "api_domain_zone_id" {
  description = "Hosted zone of api_domain_target, for an alias record in Route 53; null without a domain."
  value       = module.api.domain_zone_id
}

output "processor_function_name" {
  description = "Name of the function that works on the jobs."
  value       = module.processor.name
}

output "result_handler_function_name" {
  description = "Name of the function that writes the results."
  value       = module.result_handler.name
}

output "jobs_api_function_name" {
  description = "Name of the function that answers all API requests except POST /jobs."
  value       = module.jobs_api.name
}

output "reconciler_function_name" {
  description = "Name of the function that closes jobs that nobody works on anymore."
  value       = module.reconciler.name
}

output "bucket_name" {
  description = "Name of the bucket of large inputs and results; the library's AI_JOB_BUCKET."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = module.bucket.arn
}

output "table_name" {
  description = "Name of the jobs table."
  value       = module.store.name
}

output "table_arn" {
  description = "ARN of the jobs table."
  value       = module.store.arn
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarms notify: subscribe to it. Null if alarms.topic_arns names other topics."
  value       = module.alarms.topic_arn
}

output "page_topic_arn" {
  description = "ARN of the SNS topic of the composite alarm: connect your pager to it. Null if alarms.page_topic_arns names other topics."
  value       = module.alarms.page_topic_arn
}

output "alarm_topic_arns" {
  description = "ARNs of all topics that the alarms notify."
  value       = module.alarms.topic_arns
}

output "alarm_names" {
  description = "Names of the metric alarms."
  value       = sort(values(module.alarms.alarm_names))
}

output "service_alarm_name" {
  description = "Name of the composite alarm, which stands for an outage as a whole."
  value       = module.alarms.service_alarm_name
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.dashboard.name
}

output "dashboard_body" {
  description = "The dashboard's JSON."
  value       = module.dashboard.body
}

output "metrics_namespace" {
  description = "CloudWatch namespace of the functions' own metrics."
  value       = local.metrics_namespace
}

output "config_application_id" {
  description = "Id of the AppConfig application that holds the job types."
  value       = module.job_types.application_id
}

output "config_environment_id" {
  description = "Id of the AppConfig environment."
  value       = module.job_types.environment_id
}

output "model_prices" {
  description = "What models cost (input model_prices), as the processor and `ai-jobs types try` compute with it."
  value       = local.model_prices
}

output "config_profile_id" {
  description = "Id of the AppConfig configuration profile."
  value       = module.job_types.profile_id
}

output "job_types" {
  description = "Names of the configured job types."
  value       = sort(keys(local.job_types))
}

output "processor_role_name" {
  description = "Name of the processor's role: attach a policy of your own to it if a model needs more permissions."
  value       = module.processor.role_name
}

output "result_handler_role_name" {
  description = "Name of the result handler's role."
  value       = module.result_handler.role_name
}

output "reconciler_role_name" {
  description = "Name of the reconciler's role."
  value       = module.reconciler.role_name
}

output "event_publisher_function_name" {
  description = "Name of the function that publishes events; null if events are off."
  value       = one(module.event_publisher[*].name)
}

output "event_publisher_role_name" {
  description = "Name of the event publisher's role; null if events are off."
  value       = one(module.event_publisher[*].role_name)
}

output "event_bus_arn" {
  description = "ARN of the bus that receives the events; null if events are off."
  value       = var.events.enabled ? local.event_bus_arn : null
}

output "events_dlq_url" {
  description = "URL of the queue of events that could not be published; null if events are off."
  value       = one(module.event_publisher[*].failure_queue_url)
}

output "events_dlq_arn" {
  description = "ARN of the queue of events that could not be published; null if events are off."
  value       = one(module.event_publisher[*].failure_queue_arn)
}

output "builds" {
  description = "Which code each function runs: the first 12 digits of its zip's SHA-256. Log lines carry it as build."
  value = merge(
    {
      processor      = module.processor.build
      result_handler = module.result_handler.build
      jobs_api       = module.jobs_api.build
      reconciler     = module.reconciler.build
    },
    { for publisher in module.event_publisher : "event_publisher" => publisher.build },
  )
}

output "release" {
  description = "Release of the zips, from their manifest; null if they are in a directory without one."
  value       = module.packages.release
}

output "events_enabled" {
  description = "Whether jobs that end are published as events."
  value       = var.events.enabled
}
