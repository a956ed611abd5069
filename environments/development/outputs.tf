# The same in every environment: edit environments/development/outputs.tf, then run `make docs`.

output "request_queue_url" {
  description = "URL of the request queue."
  value       = module.ai_jobs.request_queue_url
}

output "request_queue_arn" {
  description = "ARN of the request queue."
  value       = module.ai_jobs.request_queue_arn
}

output "response_queue_url" {
  description = "URL of the response queue."
  value       = module.ai_jobs.response_queue_url
}

output "response_queue_arn" {
  description = "ARN of the response queue."
  value       = module.ai_jobs.response_queue_arn
}

output "request_dlq_url" {
  description = "URL of the request dead-letter queue."
  value       = module.ai_jobs.request_dlq_url
}

output "request_dlq_arn" {
  description = "ARN of the request dead-letter queue."
  value       = module.ai_jobs.request_dlq_arn
}

output "response_dlq_url" {
  description = "URL of the response dead-letter queue."
  value       = module.ai_jobs.response_dlq_url
}

output "response_dlq_arn" {
  description = "ARN of the response dead-letter queue."
  value       = module.ai_jobs.response_dlq_arn
}

output "api_id" {
  description = "Id of the REST API."
  value       = module.ai_jobs.api_id
}

output "api_stage_name" {
  description = "Name of the API's stage."
  value       = module.ai_jobs.api_stage_name
}

output "api_execution_arn" {
  description = "ARN to allow execute-api:Invoke on, e.g. <api_execution_arn>/POST/jobs."
  value       = module.ai_jobs.api_execution_arn
}

output "api_key_ids" {
  description = "Ids of the API keys by name. Their values: aws apigateway get-api-key --include-value --api-key ID."
  value       = module.ai_jobs.api_key_ids
}

output "api_domain_target" {
  description = "Name that the DNS record of the API's domain points at; null without a domain."
  value       = module.ai_jobs.api_domain_target
}

output "api_domain_zone_id" {
  description = "Hosted zone of api_domain_target, for an alias in Route 53; null without a domain."
  value       = module.ai_jobs.api_domain_zone_id
}

output "processor_function_name" {
  description = "Name of the function that works on the jobs."
  value       = module.ai_jobs.processor_function_name
}

output "result_handler_function_name" {
  description = "Name of the function that writes the results."
  value       = module.ai_jobs.result_handler_function_name
}

output "jobs_api_function_name" {
  description = "Name of the function that answers the API's requests, but for POST /jobs."
  value       = module.ai_jobs.jobs_api_function_name
}

output "reconciler_function_name" {
  description = "Name of the function that closes what nobody works on any more."
  value       = module.ai_jobs.reconciler_function_name
}

output "bucket_name" {
  description = "Name of the bucket of large inputs and results: AI_JOB_BUCKET of the library."
  value       = module.ai_jobs.bucket_name
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = module.ai_jobs.bucket_arn
}

output "table_name" {
  description = "Name of the jobs table."
  value       = module.ai_jobs.table_name
}

output "table_arn" {
  description = "ARN of the jobs table."
  value       = module.ai_jobs.table_arn
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarms notify: subscribe to it."
  value       = module.ai_jobs.alarm_topic_arn
}

output "page_topic_arn" {
  description = "ARN of the SNS topic of the composite alarm: connect your pager to it."
  value       = module.ai_jobs.page_topic_arn
}

output "alarm_topic_arns" {
  description = "ARNs of all topics that the alarms notify."
  value       = module.ai_jobs.alarm_topic_arns
}

output "alarm_names" {
  description = "Names of the metric alarms."
  value       = module.ai_jobs.alarm_names
}

output "service_alarm_name" {
  description = "Name of the composite alarm: it stands for an outage as a whole."
  value       = module.ai_jobs.service_alarm_name
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.ai_jobs.dashboard_name
}

output "dashboard_body" {
  description = "The dashboard's JSON."
  value       = module.ai_jobs.dashboard_body
}

output "metrics_namespace" {
  description = "CloudWatch namespace of the functions' own metrics."
  value       = module.ai_jobs.metrics_namespace
}

output "config_application_id" {
  description = "Id of the AppConfig application that holds the job types."
  value       = module.ai_jobs.config_application_id
}

output "config_environment_id" {
  description = "Id of the AppConfig environment."
  value       = module.ai_jobs.config_environment_id
}

output "model_prices" {
  description = "What models cost (input model_prices), as the processor and `ai-jobs types try` compute with it."
  value       = module.ai_jobs.model_prices
}

output "config_profile_id" {
  description = "Id of the AppConfig configuration profile."
  value       = module.ai_jobs.config_profile_id
}

output "job_types" {
  description = "Names of the configured job types."
  value       = module.ai_jobs.job_types
}

output "processor_role_name" {
  description = "Name of the processor's role: attach a policy of your own to it where a model needs more permissions."
  value       = module.ai_jobs.processor_role_name
}

output "result_handler_role_name" {
  description = "Name of the result handler's role."
  value       = module.ai_jobs.result_handler_role_name
}

output "reconciler_role_name" {
  description = "Name of the reconciler's role."
  value       = module.ai_jobs.reconciler_role_name
}

output "event_publisher_function_name" {
  description = "Name of the function that publishes events."
  value       = module.ai_jobs.event_publisher_function_name
}

output "event_publisher_role_name" {
  description = "Name of the event publisher's role."
  value       = module.ai_jobs.event_publisher_role_name
}

output "event_bus_arn" {
  description = "ARN of the bus that gets the events."
  value       = module.ai_jobs.event_bus_arn
}

output "events_dlq_url" {
  description = "URL of the queue of events that could not be published."
  value       = module.ai_jobs.events_dlq_url
}

output "events_dlq_arn" {
  description = "ARN of the queue of events that could not be published."
  value       = module.ai_jobs.events_dlq_arn
}

output "builds" {
  description = "Which code each function runs: the first 12 digits of its zip's SHA-256. Log lines carry it as build."
  value       = module.ai_jobs.builds
}

output "release" {
  description = "Release of the zips, from their manifest; null without one."
  value       = module.ai_jobs.release
}

output "events_enabled" {
  description = "Whether jobs that end are published as events."
  value       = module.ai_jobs.events_enabled
}
