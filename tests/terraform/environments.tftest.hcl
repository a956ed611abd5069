# The roots that are applied: environments/* and examples/complete. Those in fixtures/opened are links to the environments
# (without the backend, which a test does not use), over modules whose resources a test can see.

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
  target          = module.ai_jobs.module.request_queue.aws_sqs_queue.this
  override_during = plan
  values          = { arn = "arn:aws:sqs:::request", url = "https://sqs/request" }
}
override_resource {
  target          = module.ai_jobs.module.request_queue.aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:::request-dlq", url = "https://sqs/request-dlq" }
}
override_resource {
  target          = module.ai_jobs.module.response_queue.aws_sqs_queue.this
  override_during = plan
  values          = { arn = "arn:aws:sqs:::response", url = "https://sqs/response" }
}
override_resource {
  target          = module.ai_jobs.module.response_queue.aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:::response-dlq", url = "https://sqs/response-dlq" }
}
override_resource {
  target          = module.ai_jobs.module.store.aws_dynamodb_table.this
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:::jobs" }
}
override_resource {
  target          = module.ai_jobs.module.bucket.aws_s3_bucket.this
  override_during = plan
  values          = { arn = "arn:aws:s3:::objects" }
}
override_resource {
  target          = module.ai_jobs.module.job_types.aws_appconfig_application.this
  override_during = plan
  values          = { id = "app1abc" }
}
override_resource {
  target          = module.ai_jobs.module.job_types.aws_appconfig_environment.this
  override_during = plan
  values          = { environment_id = "env1abc" }
}
override_resource {
  target          = module.ai_jobs.module.job_types.aws_appconfig_configuration_profile.this
  override_during = plan
  values          = { configuration_profile_id = "pro1abc" }
}
override_resource {
  target          = module.ai_jobs.module.api.aws_api_gateway_rest_api.this
  override_during = plan
  values          = { id = "api1", root_resource_id = "root1", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1" }
}
override_resource {
  target          = module.ai_jobs.module.api.aws_api_gateway_stage.this
  override_during = plan
  values          = { arn = "arn:aws:apigateway:::stage", invoke_url = "https://api1/v1", execution_arn = "arn:aws:execute-api:::api1/v1" }
}
override_resource {
  target          = module.ai_jobs.module.api.aws_api_gateway_api_key.this
  override_during = plan
  values          = { id = "key1" }
}
override_resource {
  target          = module.ai_jobs.module.api.aws_api_gateway_domain_name.this
  override_during = plan
  values          = { regional_domain_name = "d-1.example.com", regional_zone_id = "ZONE1" }
}
override_resource {
  target          = module.ai_jobs.module.alarms.aws_cloudwatch_metric_alarm.this
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:::alarm" }
}
override_resource {
  target          = module.ai_jobs.module.alarms.aws_cloudwatch_composite_alarm.service_unhealthy
  override_during = plan
  values          = { arn = "arn:aws:cloudwatch:::service" }
}
override_resource {
  target          = module.ai_jobs.module.alarms.aws_sns_topic.this
  override_during = plan
  values          = { arn = "arn:aws:sns:::alarms" }
}

override_resource {
  target          = module.ai_jobs.module.event_publisher[0].aws_sqs_queue.failures
  override_during = plan
  values          = { arn = "arn:aws:sqs:::events-dlq", url = "https://sqs/events-dlq" }
}

# R-P2
run "local" {
  command = plan

  module {
    source = "./fixtures/opened/environments/local"
  }

  variables {
    packages     = { directory = "fixtures/packages" }
    endpoint_url = "http://127.0.0.1:4567"
    tags         = { Team = "growth" }
  }

  # R-P4
  assert {
    condition = (
      output.request_queue_url == "https://sqs/request" &&
      output.request_queue_arn == "arn:aws:sqs:::request" &&
      output.response_queue_url == "https://sqs/response" &&
      output.response_queue_arn == "arn:aws:sqs:::response" &&
      output.request_dlq_url == "https://sqs/request-dlq" &&
      output.request_dlq_arn == "arn:aws:sqs:::request-dlq" &&
      output.response_dlq_url == "https://sqs/response-dlq" &&
      output.response_dlq_arn == "arn:aws:sqs:::response-dlq" &&
      output.api_url == "http://127.0.0.1:4567/restapis/api1/v1/_user_request_" &&
      output.endpoint_url == "http://127.0.0.1:4567" &&
      output.api_id == "api1" &&
      output.api_stage_name == "v1" &&
      output.api_execution_arn == "arn:aws:execute-api:::api1/v1" &&
      output.api_key_ids == {} &&
      output.api_domain_target == null &&
      output.api_domain_zone_id == null &&
      output.processor_function_name == "bayon-coagent-ai-job-processor-local" &&
      output.result_handler_function_name == "bayon-coagent-ai-job-result-handler-local" &&
      output.jobs_api_function_name == "bayon-coagent-ai-jobs-api-local" &&
      output.reconciler_function_name == "bayon-coagent-ai-job-reconciler-local" &&
      output.event_publisher_function_name == "bayon-coagent-ai-job-event-publisher-local" &&
      output.event_publisher_role_name == "bayon-coagent-ai-job-events-local-eu-west-1" &&
      output.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default" &&
      output.events_dlq_url == "https://sqs/events-dlq" &&
      output.events_dlq_arn == "arn:aws:sqs:::events-dlq" &&
      output.processor_role_name == "bayon-coagent-ai-job-processor-local-eu-west-1" &&
      output.result_handler_role_name == "bayon-coagent-ai-job-result-handler-local-eu-west-1" &&
      output.reconciler_role_name == "bayon-coagent-ai-job-reconciler-local-eu-west-1" &&
      output.bucket_name == "bayon-coagent-ai-jobs-local-123456789012-eu-west-1" &&
      output.bucket_arn == "arn:aws:s3:::objects" &&
      output.table_name == "bayon-coagent-ai-jobs-local" &&
      output.table_arn == "arn:aws:dynamodb:::jobs" &&
      output.alarm_topic_arn == "arn:aws:sns:::alarms" &&
      output.page_topic_arn == "arn:aws:sns:::alarms" &&
      output.alarm_topic_arns == tolist(["arn:aws:sns:::alarms"]) &&
      contains(output.alarm_names, "bayon-coagent-ai-job-processing-rate-local") &&
      output.service_alarm_name == "bayon-coagent-ai-job-service-unhealthy-local" &&
      output.dashboard_name == "bayon-coagent-ai-jobs-local-eu-west-1" &&
      length(jsondecode(output.dashboard_body).widgets) > 20 &&
      output.metrics_namespace == "bayon-coagent-ai-jobs-local" &&
      output.config_application_id == "app1abc" &&
      output.config_environment_id == "env1abc" &&
      output.config_profile_id == "pro1abc" &&
      output.job_types == tolist(["blog-post", "listing-description", "market-update", "social-media"])
    )
    error_message = "environments/local does not hand out every output of the module under its own name."
  }

  # R-Q5
  assert {
    condition = alltrue(flatten([
      for leaf in values(module.ai_jobs.inside) : [
        for resource in values(leaf) :
        try(resource.tags, {}) == tomap({ Environment = "local", Application = "bayon-coagent", Service = "ai-jobs", Team = "growth" })
        if can(resource.tags)
      ]
    ]))
    error_message = "A resource is without the tags of environments/local."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in concat(values(module.ai_jobs.inside.request_queue), values(module.ai_jobs.inside.response_queue)) :
      !can(jsondecode(queue.policy).Statement)
    ])
    error_message = "A queue refuses plain HTTP, which is all that the emulator speaks."
  }
  assert {
    condition     = !contains(keys(module.ai_jobs.inside.bucket), "aws_s3_bucket_policy.this[0]")
    error_message = "The bucket refuses plain HTTP, which is all that the emulator speaks."
  }

  # What MiniStack asks for beyond AWS, for those who need it.
  assert {
    condition = { for policy in aws_iam_role_policy.emulator : policy.role => jsondecode(policy.policy).Statement[*].Action } == {
      bayon-coagent-ai-job-processor-local-eu-west-1  = [["bedrock:Converse", "sqs:ChangeMessageVisibilityBatch"]]
      bayon-coagent-ai-job-reconciler-local-eu-west-1 = [["sqs:ChangeMessageVisibilityBatch"]]
    }
    error_message = "A role does not have exactly what only the emulator asks it for."
  }

  assert {
    condition = (
      !module.ai_jobs.inside.store["aws_dynamodb_table.this"].deletion_protection_enabled &&
      !module.ai_jobs.inside.store["aws_dynamodb_table.this"].point_in_time_recovery[0].enabled &&
      module.ai_jobs.inside.bucket["aws_s3_bucket.this"].force_destroy &&
      module.ai_jobs.inside.processor["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 10 &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.POWERTOOLS_LOG_LEVEL == "INFO" &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.AI_JOB_RETENTION_DAYS == "30" &&
      module.ai_jobs.inside.processor["aws_cloudwatch_log_group.this"].retention_in_days == 1 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 100 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 200 &&
      module.ai_jobs.inside.api["aws_api_gateway_method.post_jobs"].authorization == "AWS_IAM" &&
      module.ai_jobs.inside.processor["aws_lambda_event_source_mapping.queue[0]"].maximum_batching_window_in_seconds == 0
    )
    error_message = "environments/local cannot be thrown away, waits for batches or leaves AWS_IAM off."
  }
}

# R-P2
run "development" {
  command = plan

  module {
    source = "./fixtures/opened/environments/development"
  }

  variables {
    packages = { s3 = { bucket = "releases" } }
    tags     = { Team = "growth" }
    api = {
      usage_plan = { keys = { web = {} } }
      domain     = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
    }
  }

  # R-P4
  assert {
    condition = (
      output.request_queue_url == "https://sqs/request" &&
      output.request_queue_arn == "arn:aws:sqs:::request" &&
      output.response_queue_url == "https://sqs/response" &&
      output.response_queue_arn == "arn:aws:sqs:::response" &&
      output.request_dlq_url == "https://sqs/request-dlq" &&
      output.request_dlq_arn == "arn:aws:sqs:::request-dlq" &&
      output.response_dlq_url == "https://sqs/response-dlq" &&
      output.response_dlq_arn == "arn:aws:sqs:::response-dlq" &&
      output.api_url == "https://jobs.example.com" &&
      output.api_id == "api1" &&
      output.api_stage_name == "v1" &&
      output.api_execution_arn == "arn:aws:execute-api:::api1/v1" &&
      output.api_key_ids == { web = "key1" } &&
      output.api_domain_target == "d-1.example.com" &&
      output.api_domain_zone_id == "ZONE1" &&
      output.processor_function_name == "bayon-coagent-ai-job-processor-development" &&
      output.result_handler_function_name == "bayon-coagent-ai-job-result-handler-development" &&
      output.jobs_api_function_name == "bayon-coagent-ai-jobs-api-development" &&
      output.reconciler_function_name == "bayon-coagent-ai-job-reconciler-development" &&
      output.event_publisher_function_name == "bayon-coagent-ai-job-event-publisher-development" &&
      output.event_publisher_role_name == "bayon-coagent-ai-job-events-development-eu-west-1" &&
      output.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default" &&
      output.events_dlq_url == "https://sqs/events-dlq" &&
      output.events_dlq_arn == "arn:aws:sqs:::events-dlq" &&
      output.processor_role_name == "bayon-coagent-ai-job-processor-development-eu-west-1" &&
      output.result_handler_role_name == "bayon-coagent-ai-job-result-handler-development-eu-west-1" &&
      output.reconciler_role_name == "bayon-coagent-ai-job-reconciler-development-eu-west-1" &&
      output.bucket_name == "bayon-coagent-ai-jobs-development-123456789012-eu-west-1" &&
      output.bucket_arn == "arn:aws:s3:::objects" &&
      output.table_name == "bayon-coagent-ai-jobs-development" &&
      output.table_arn == "arn:aws:dynamodb:::jobs" &&
      output.alarm_topic_arn == "arn:aws:sns:::alarms" &&
      output.page_topic_arn == "arn:aws:sns:::alarms" &&
      output.alarm_topic_arns == tolist(["arn:aws:sns:::alarms"]) &&
      contains(output.alarm_names, "bayon-coagent-ai-job-processing-rate-development") &&
      output.service_alarm_name == "bayon-coagent-ai-job-service-unhealthy-development" &&
      output.dashboard_name == "bayon-coagent-ai-jobs-development-eu-west-1" &&
      length(jsondecode(output.dashboard_body).widgets) > 20 &&
      output.metrics_namespace == "bayon-coagent-ai-jobs-development" &&
      output.config_application_id == "app1abc" &&
      output.config_environment_id == "env1abc" &&
      output.config_profile_id == "pro1abc" &&
      output.job_types == tolist(["blog-post", "listing-description", "market-update", "social-media"])
    )
    error_message = "environments/development does not hand out every output of the module under its own name."
  }

  # R-Q5
  assert {
    condition = alltrue(flatten([
      for leaf in values(module.ai_jobs.inside) : [
        for resource in values(leaf) :
        try(resource.tags, {}) == tomap({ Environment = "development", Application = "bayon-coagent", Service = "ai-jobs", Team = "growth" })
        if can(resource.tags)
      ]
    ]))
    error_message = "A resource is without the tags of environments/development."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in concat(values(module.ai_jobs.inside.request_queue), values(module.ai_jobs.inside.response_queue)) :
      can(jsondecode(queue.policy).Statement)
    ])
    error_message = "A queue takes plain HTTP."
  }

  assert {
    condition = (
      !module.ai_jobs.inside.store["aws_dynamodb_table.this"].deletion_protection_enabled &&
      !module.ai_jobs.inside.store["aws_dynamodb_table.this"].point_in_time_recovery[0].enabled &&
      module.ai_jobs.inside.bucket["aws_s3_bucket.this"].force_destroy &&
      module.ai_jobs.inside.processor["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 2 &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.POWERTOOLS_LOG_LEVEL == "DEBUG" &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.AI_JOB_RETENTION_DAYS == "7" &&
      module.ai_jobs.inside.processor["aws_cloudwatch_log_group.this"].retention_in_days == 7 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 20 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 40 &&
      module.ai_jobs.inside.api["aws_api_gateway_method.post_jobs"].authorization == "AWS_IAM"
    )
    error_message = "environments/development is not the small one that may be destroyed."
  }
}

# R-P2
run "staging" {
  command = plan

  module {
    source = "./fixtures/opened/environments/staging"
  }

  variables {
    packages = { s3 = { bucket = "releases" } }
    tags     = { Team = "growth" }
    api = {
      usage_plan = { keys = { web = {} } }
      domain     = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
    }
  }

  # R-P4
  assert {
    condition = (
      output.request_queue_url == "https://sqs/request" &&
      output.request_queue_arn == "arn:aws:sqs:::request" &&
      output.response_queue_url == "https://sqs/response" &&
      output.response_queue_arn == "arn:aws:sqs:::response" &&
      output.request_dlq_url == "https://sqs/request-dlq" &&
      output.request_dlq_arn == "arn:aws:sqs:::request-dlq" &&
      output.response_dlq_url == "https://sqs/response-dlq" &&
      output.response_dlq_arn == "arn:aws:sqs:::response-dlq" &&
      output.api_url == "https://jobs.example.com" &&
      output.api_id == "api1" &&
      output.api_stage_name == "v1" &&
      output.api_execution_arn == "arn:aws:execute-api:::api1/v1" &&
      output.api_key_ids == { web = "key1" } &&
      output.api_domain_target == "d-1.example.com" &&
      output.api_domain_zone_id == "ZONE1" &&
      output.processor_function_name == "bayon-coagent-ai-job-processor-staging" &&
      output.result_handler_function_name == "bayon-coagent-ai-job-result-handler-staging" &&
      output.jobs_api_function_name == "bayon-coagent-ai-jobs-api-staging" &&
      output.reconciler_function_name == "bayon-coagent-ai-job-reconciler-staging" &&
      output.event_publisher_function_name == "bayon-coagent-ai-job-event-publisher-staging" &&
      output.event_publisher_role_name == "bayon-coagent-ai-job-events-staging-eu-west-1" &&
      output.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default" &&
      output.events_dlq_url == "https://sqs/events-dlq" &&
      output.events_dlq_arn == "arn:aws:sqs:::events-dlq" &&
      output.processor_role_name == "bayon-coagent-ai-job-processor-staging-eu-west-1" &&
      output.result_handler_role_name == "bayon-coagent-ai-job-result-handler-staging-eu-west-1" &&
      output.reconciler_role_name == "bayon-coagent-ai-job-reconciler-staging-eu-west-1" &&
      output.bucket_name == "bayon-coagent-ai-jobs-staging-123456789012-eu-west-1" &&
      output.bucket_arn == "arn:aws:s3:::objects" &&
      output.table_name == "bayon-coagent-ai-jobs-staging" &&
      output.table_arn == "arn:aws:dynamodb:::jobs" &&
      output.alarm_topic_arn == "arn:aws:sns:::alarms" &&
      output.page_topic_arn == "arn:aws:sns:::alarms" &&
      output.alarm_topic_arns == tolist(["arn:aws:sns:::alarms"]) &&
      contains(output.alarm_names, "bayon-coagent-ai-job-processing-rate-staging") &&
      output.service_alarm_name == "bayon-coagent-ai-job-service-unhealthy-staging" &&
      output.dashboard_name == "bayon-coagent-ai-jobs-staging-eu-west-1" &&
      length(jsondecode(output.dashboard_body).widgets) > 20 &&
      output.metrics_namespace == "bayon-coagent-ai-jobs-staging" &&
      output.config_application_id == "app1abc" &&
      output.config_environment_id == "env1abc" &&
      output.config_profile_id == "pro1abc" &&
      output.job_types == tolist(["blog-post", "listing-description", "market-update", "social-media"])
    )
    error_message = "environments/staging does not hand out every output of the module under its own name."
  }

  # R-Q5
  assert {
    condition = alltrue(flatten([
      for leaf in values(module.ai_jobs.inside) : [
        for resource in values(leaf) :
        try(resource.tags, {}) == tomap({ Environment = "staging", Application = "bayon-coagent", Service = "ai-jobs", Team = "growth" })
        if can(resource.tags)
      ]
    ]))
    error_message = "A resource is without the tags of environments/staging."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in concat(values(module.ai_jobs.inside.request_queue), values(module.ai_jobs.inside.response_queue)) :
      can(jsondecode(queue.policy).Statement)
    ])
    error_message = "A queue takes plain HTTP."
  }

  assert {
    condition = (
      module.ai_jobs.inside.store["aws_dynamodb_table.this"].deletion_protection_enabled &&
      module.ai_jobs.inside.store["aws_dynamodb_table.this"].point_in_time_recovery[0].enabled &&
      !module.ai_jobs.inside.bucket["aws_s3_bucket.this"].force_destroy &&
      module.ai_jobs.inside.processor["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 5 &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.POWERTOOLS_LOG_LEVEL == "INFO" &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.AI_JOB_RETENTION_DAYS == "14" &&
      module.ai_jobs.inside.processor["aws_cloudwatch_log_group.this"].retention_in_days == 14 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 50 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 100 &&
      module.ai_jobs.inside.api["aws_api_gateway_method.post_jobs"].authorization == "AWS_IAM"
    )
    error_message = "environments/staging is not like production, smaller."
  }
}

# R-P2
run "production" {
  command = plan

  module {
    source = "./fixtures/opened/environments/production"
  }

  variables {
    packages = { s3 = { bucket = "releases" } }
    tags     = { Team = "growth" }
    api = {
      usage_plan = { keys = { web = {} } }
      domain     = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
    }
  }

  # R-P4
  assert {
    condition = (
      output.request_queue_url == "https://sqs/request" &&
      output.request_queue_arn == "arn:aws:sqs:::request" &&
      output.response_queue_url == "https://sqs/response" &&
      output.response_queue_arn == "arn:aws:sqs:::response" &&
      output.request_dlq_url == "https://sqs/request-dlq" &&
      output.request_dlq_arn == "arn:aws:sqs:::request-dlq" &&
      output.response_dlq_url == "https://sqs/response-dlq" &&
      output.response_dlq_arn == "arn:aws:sqs:::response-dlq" &&
      output.api_url == "https://jobs.example.com" &&
      output.api_id == "api1" &&
      output.api_stage_name == "v1" &&
      output.api_execution_arn == "arn:aws:execute-api:::api1/v1" &&
      output.api_key_ids == { web = "key1" } &&
      output.api_domain_target == "d-1.example.com" &&
      output.api_domain_zone_id == "ZONE1" &&
      output.processor_function_name == "bayon-coagent-ai-job-processor-production" &&
      output.result_handler_function_name == "bayon-coagent-ai-job-result-handler-production" &&
      output.jobs_api_function_name == "bayon-coagent-ai-jobs-api-production" &&
      output.reconciler_function_name == "bayon-coagent-ai-job-reconciler-production" &&
      output.event_publisher_function_name == "bayon-coagent-ai-job-event-publisher-production" &&
      output.event_publisher_role_name == "bayon-coagent-ai-job-events-production-eu-west-1" &&
      output.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default" &&
      output.events_dlq_url == "https://sqs/events-dlq" &&
      output.events_dlq_arn == "arn:aws:sqs:::events-dlq" &&
      output.processor_role_name == "bayon-coagent-ai-job-processor-production-eu-west-1" &&
      output.result_handler_role_name == "bayon-coagent-ai-job-result-handler-production-eu-west-1" &&
      output.reconciler_role_name == "bayon-coagent-ai-job-reconciler-production-eu-west-1" &&
      output.bucket_name == "bayon-coagent-ai-jobs-production-123456789012-eu-west-1" &&
      output.bucket_arn == "arn:aws:s3:::objects" &&
      output.table_name == "bayon-coagent-ai-jobs-production" &&
      output.table_arn == "arn:aws:dynamodb:::jobs" &&
      output.alarm_topic_arn == "arn:aws:sns:::alarms" &&
      output.page_topic_arn == "arn:aws:sns:::alarms" &&
      output.alarm_topic_arns == tolist(["arn:aws:sns:::alarms"]) &&
      contains(output.alarm_names, "bayon-coagent-ai-job-processing-rate-production") &&
      output.service_alarm_name == "bayon-coagent-ai-job-service-unhealthy-production" &&
      output.dashboard_name == "bayon-coagent-ai-jobs-production-eu-west-1" &&
      length(jsondecode(output.dashboard_body).widgets) > 20 &&
      output.metrics_namespace == "bayon-coagent-ai-jobs-production" &&
      output.config_application_id == "app1abc" &&
      output.config_environment_id == "env1abc" &&
      output.config_profile_id == "pro1abc" &&
      output.job_types == tolist(["blog-post", "listing-description", "market-update", "social-media"])
    )
    error_message = "environments/production does not hand out every output of the module under its own name."
  }

  # R-Q5
  assert {
    condition = alltrue(flatten([
      for leaf in values(module.ai_jobs.inside) : [
        for resource in values(leaf) :
        try(resource.tags, {}) == tomap({ Environment = "production", Application = "bayon-coagent", Service = "ai-jobs", Team = "growth" })
        if can(resource.tags)
      ]
    ]))
    error_message = "A resource is without the tags of environments/production."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in concat(values(module.ai_jobs.inside.request_queue), values(module.ai_jobs.inside.response_queue)) :
      can(jsondecode(queue.policy).Statement)
    ])
    error_message = "A queue takes plain HTTP."
  }

  assert {
    condition = (
      module.ai_jobs.inside.store["aws_dynamodb_table.this"].deletion_protection_enabled &&
      module.ai_jobs.inside.store["aws_dynamodb_table.this"].point_in_time_recovery[0].enabled &&
      !module.ai_jobs.inside.bucket["aws_s3_bucket.this"].force_destroy &&
      module.ai_jobs.inside.processor["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 20 &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.POWERTOOLS_LOG_LEVEL == "INFO" &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.AI_JOB_RETENTION_DAYS == "90" &&
      module.ai_jobs.inside.processor["aws_cloudwatch_log_group.this"].retention_in_days == 90 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 200 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 400 &&
      module.ai_jobs.inside.api["aws_api_gateway_method.post_jobs"].authorization == "AWS_IAM"
    )
    error_message = "environments/production is without protection, recovery or its own limits."
  }
}

# What a caller of an environment may set, and the zips of make package as they are by default.
run "settings_of_an_environment" {
  command = plan

  module {
    source = "./fixtures/opened/environments/production"
  }

  variables {
    name             = "acme"
    packages         = { directory = "fixtures/packages" }
    default_model_id = "eu.amazon.nova-lite-v1:0"
    kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    budget           = { daily_tokens_total = 50000 }
    events           = { include_result = true }
    # What the environment sets is replaced by name, the rest of it stays.
    api = { access_logs = true, throttling_rate_limit = 300 }

    alarms = {
      email_addresses      = ["ops@example.com"]
      page_email_addresses = ["on-call@example.com"]
      runbook_url          = "https://wiki.example.com/runbooks"
    }

    job_types = { summary = { prompt = "Summarise {{ text }}", input_schema = "{}" } }
  }

  assert {
    condition = (
      output.table_name == "acme-ai-jobs-production" &&
      contains(output.job_types, "summary") && length(output.job_types) == 5 &&
      alltrue([for type in values(jsondecode(module.ai_jobs.inside.job_types["aws_appconfig_hosted_configuration_version.this"].content).jobTypes) : type.modelId == "eu.amazon.nova-lite-v1:0"]) &&
      jsondecode(module.ai_jobs.inside.job_types["aws_appconfig_hosted_configuration_version.this"].content).jobTypes.summary.maxTokens == 2048 &&
      jsondecode(module.ai_jobs.inside.job_types["aws_appconfig_hosted_configuration_version.this"].content).jobTypes.summary.timeoutSeconds == 120 &&
      contains(keys(module.ai_jobs.inside.api), "aws_cloudwatch_log_group.access[0]") &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 300 &&
      module.ai_jobs.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 400 &&
      module.ai_jobs.inside.store["aws_dynamodb_table.this"].server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/0001" &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].environment[0].variables.AI_JOB_DAILY_TOKENS_TOTAL == "50000" &&
      module.ai_jobs.inside.event_publisher["aws_lambda_function.this"].environment[0].variables.AI_JOB_EVENTS_INCLUDE_RESULT == "true" &&
      module.ai_jobs.inside.processor["aws_lambda_function.this"].filename == "fixtures/packages/processor.zip" &&
      module.ai_jobs.inside.alarms["aws_sns_topic_subscription.email[alarms ops@example.com]"].endpoint == "ops@example.com" &&
      module.ai_jobs.inside.alarms["aws_sns_topic_subscription.email[pages on-call@example.com]"].endpoint == "on-call@example.com" &&
      strcontains(module.ai_jobs.inside.alarms["aws_cloudwatch_metric_alarm.this[failed-jobs]"].alarm_description, "https://wiki.example.com/runbooks#failed-jobs")
    )
    error_message = "A variable of environments/production does not reach the module."
  }
}

# R-P3
run "example_complete" {
  command = plan

  module {
    source = "../../examples/complete"
  }

  variables {
    packages_bucket  = "releases"
    package_versions = { processor = "v1", result_handler = "v2", jobs_api = "v3", reconciler = "v4", event_publisher = "v5" }
    alarm_email      = "on-call@example.com"
  }

  assert {
    condition = (
      output.api_url == "https://api1/v1" &&
      aws_cloudwatch_event_bus.platform.name == "acme-platform" &&
      output.job_types == tolist(["blog-post", "listing-description", "market-update", "review-summary", "social-media"]) &&
      aws_sns_topic_subscription.on_call.topic_arn == "arn:aws:sns:::alarms" &&
      jsondecode(aws_iam_policy.use_ai_jobs.policy).Statement[0].Resource == [
        "arn:aws:execute-api:::api1/v1/PUT/jobs/*", "arn:aws:execute-api:::api1/v1/GET/jobs/*",
        "arn:aws:execute-api:::api1/v1/GET/jobs", "arn:aws:execute-api:::api1/v1/DELETE/jobs/*",
      ]
    )
    error_message = "examples/complete does not add its job type, or its clients and alarms are wired to something else."
  }
}
