# The composition: which leaf is given what. Runs on fixtures/opened see the resources in the leaves; the files there
# are links to the modules, and only add an output.

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

variables {
  environment = "test"
  packages    = { s3 = { bucket = "releases" } }
}

# What only AWS knows, made known and different for each resource: a wire that ends at the wrong one shows.
override_resource {
  target          = module.request_queue.aws_sqs_queue.this
  override_during = plan
  values          = { arn = "arn:aws:sqs:::request", url = "https://sqs/request" }
}
override_resource {
  target          = module.request_queue.aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:::request-dlq", url = "https://sqs/request-dlq" }
}
override_resource {
  target          = module.response_queue.aws_sqs_queue.this
  override_during = plan
  values          = { arn = "arn:aws:sqs:::response", url = "https://sqs/response" }
}
override_resource {
  target          = module.response_queue.aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:::response-dlq", url = "https://sqs/response-dlq" }
}
override_resource {
  target          = module.store.aws_dynamodb_table.this
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:::jobs" }
}
override_resource {
  target          = module.bucket.aws_s3_bucket.this
  override_during = plan
  values          = { arn = "arn:aws:s3:::objects" }
}
override_resource {
  target          = module.reconciler.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:::reconciler" }
}
override_resource {
  target          = module.reconciler.aws_lambda_function.this
  override_during = plan
  values          = { arn = "arn:aws:lambda:::reconciler" }
}
override_resource {
  target          = module.reconciler.aws_iam_role.schedule
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/schedule" }
}
override_resource {
  target          = module.job_types.aws_appconfig_application.this
  override_during = plan
  values          = { id = "app1abc" }
}
override_resource {
  target          = module.job_types.aws_appconfig_environment.this
  override_during = plan
  values          = { environment_id = "env1abc" }
}
override_resource {
  target          = module.job_types.aws_appconfig_configuration_profile.this
  override_during = plan
  values          = { configuration_profile_id = "pro1abc" }
}
override_resource {
  target          = module.api.aws_api_gateway_rest_api.this
  override_during = plan
  values          = { id = "api1", root_resource_id = "root1", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1" }
}
override_resource {
  target          = module.api.aws_api_gateway_stage.this
  override_during = plan
  values          = { arn = "arn:aws:apigateway:::stage", invoke_url = "https://api1/v1", execution_arn = "arn:aws:execute-api:::api1/v1" }
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
override_resource {
  target          = module.alarms.aws_sns_topic.this
  override_during = plan
  values          = { arn = "arn:aws:sns:::alarms" }
}
override_resource {
  target          = module.processor.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:::processor" }
}
override_resource {
  target          = module.result_handler.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:::result-handler" }
}
override_resource {
  target          = module.jobs_api.aws_cloudwatch_log_group.this
  override_during = plan
  values          = { arn = "arn:aws:logs:::jobs-api" }
}
override_resource {
  target          = module.jobs_api.aws_lambda_function.this
  override_during = plan
  values          = { arn = "arn:aws:lambda:::jobs-api", invoke_arn = "arn:aws:apigateway:::invoke-jobs-api" }
}
override_resource {
  target          = module.api.aws_iam_role.post_jobs
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/post-jobs" }
}

# R-P4
run "outputs" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  assert {
    condition = (
      output.request_queue_url == "https://sqs/request" &&
      output.request_queue_arn == "arn:aws:sqs:::request" &&
      output.response_queue_url == "https://sqs/response" &&
      output.response_queue_arn == "arn:aws:sqs:::response" &&
      output.request_dlq_url == "https://sqs/request-dlq" &&
      output.request_dlq_arn == "arn:aws:sqs:::request-dlq" &&
      output.response_dlq_url == "https://sqs/response-dlq" &&
      output.response_dlq_arn == "arn:aws:sqs:::response-dlq"
    )
    error_message = "A queue output belongs to another queue."
  }

  assert {
    condition = (
      output.api_url == "https://api1/v1" &&
      output.api_id == "api1" &&
      output.api_stage_name == "v1" &&
      output.api_execution_arn == "arn:aws:execute-api:::api1/v1"
    )
    error_message = "An API output is wrong."
  }

  assert {
    condition = (
      output.processor_function_name == "bayon-coagent-ai-job-processor-test" &&
      output.result_handler_function_name == "bayon-coagent-ai-job-result-handler-test" &&
      output.jobs_api_function_name == "bayon-coagent-ai-jobs-api-test" &&
      output.reconciler_function_name == "bayon-coagent-ai-job-reconciler-test" &&
      output.processor_role_name == "bayon-coagent-ai-job-processor-test-eu-west-1" &&
      output.result_handler_role_name == "bayon-coagent-ai-job-result-handler-test-eu-west-1" &&
      output.reconciler_role_name == "bayon-coagent-ai-job-reconciler-test-eu-west-1" &&
      output.bucket_name == "bayon-coagent-ai-jobs-test-123456789012-eu-west-1" &&
      output.bucket_arn == "arn:aws:s3:::objects" &&
      output.table_name == "bayon-coagent-ai-jobs-test" &&
      output.table_arn == "arn:aws:dynamodb:::jobs" &&
      output.alarm_topic_arn == "arn:aws:sns:::alarms" &&
      output.page_topic_arn == "arn:aws:sns:::alarms" &&
      output.alarm_topic_arns == tolist(["arn:aws:sns:::alarms"]) &&
      contains(output.alarm_names, "bayon-coagent-ai-job-processing-rate-test") &&
      output.service_alarm_name == "bayon-coagent-ai-job-service-unhealthy-test" &&
      output.dashboard_name == "bayon-coagent-ai-jobs-test-eu-west-1" &&
      length(jsondecode(output.dashboard_body).widgets) > 20 &&
      output.metrics_namespace == "bayon-coagent-ai-jobs-test"
    )
    error_message = "A name or ARN among the outputs is wrong."
  }

  assert {
    condition = (
      output.config_application_id == "app1abc" &&
      output.config_environment_id == "env1abc" &&
      output.config_profile_id == "pro1abc"
    )
    error_message = "An AppConfig output is wrong."
  }

  # R-J7
  assert {
    condition     = output.job_types == tolist(["blog-post", "listing-description", "market-update", "social-media"])
    error_message = "The built-in job types are not the four: ${join(", ", output.job_types)}."
  }
}

# The links and the outputs of fixtures/opened are complete: a new file or resource must not escape the tests below.
run "opened_modules_are_complete" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    # Everything that has to be asked for.
    alarms = { email_addresses = ["on-call@example.com"] }
    api = {
      access_logs       = true
      authorization     = "CUSTOM"
      lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who" }
      usage_plan        = { keys = { web = {} } }
      resource_policy   = { json = "{\"Statement\": []}" }
      waf               = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1" }
      domain            = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
      cors              = { allow_origins = ["https://app.example.com"] }
    }
  }

  assert {
    condition = toset([for file in output.files : file if !endswith(file, "/inside.tf")]) == toset([
      for file in fileset("../..", "{modules,environments}/*/*.tf") : file if !endswith(file, "/backend.tf")
    ])
    error_message = "A module has a file that fixtures/opened does not link to (or no longer has it)."
  }

  assert {
    condition = toset(flatten([
      for leaf in values(output.inside) : [for address in keys(leaf) : split("[", address)[0]]
      ])) == toset(flatten([
      for module in ["queue", "function", "store", "api", "job-types", "alarms", "bucket", "dashboard"] : [
        for file in fileset("../../modules/${module}", "*.tf") : [
          for found in regexall("(?m)^resource \"(\\w+)\" \"(\\w+)\"", file("../../modules/${module}/${file}")) : join(".", found)
        ]
      ]
    ]))
    error_message = "A resource is missing in the output inside of a module in fixtures/opened."
  }
}

run "defaults" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  # R-Q1
  assert {
    condition = (
      output.inside.request_queue["aws_sqs_queue.this"].name == "bayon-coagent-ai-job-request-test" &&
      output.inside.request_queue["aws_sqs_queue.this"].message_retention_seconds == 1209600 &&
      output.inside.request_queue["aws_sqs_queue.this"].visibility_timeout_seconds == 900 &&
      output.inside.request_queue["aws_sqs_queue.this"].receive_wait_time_seconds == 20 &&
      jsondecode(output.inside.request_queue["aws_sqs_queue.this"].redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:::request-dlq", maxReceiveCount = 3 }
    )
    error_message = "The request queue's name, retention, visibility timeout, long polling or redrive is not the default."
  }

  # R-Q2
  assert {
    condition = (
      output.inside.response_queue["aws_sqs_queue.this"].name == "bayon-coagent-ai-job-response-test" &&
      output.inside.response_queue["aws_sqs_queue.this"].message_retention_seconds == 1209600 &&
      output.inside.response_queue["aws_sqs_queue.this"].visibility_timeout_seconds == 300 &&
      output.inside.response_queue["aws_sqs_queue.this"].receive_wait_time_seconds == 20 &&
      jsondecode(output.inside.response_queue["aws_sqs_queue.this"].redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:::response-dlq", maxReceiveCount = 3 }
    )
    error_message = "The response queue's name, retention, visibility timeout, long polling or redrive is not the default."
  }

  # R-Q3
  assert {
    condition = (
      output.inside.request_queue["aws_sqs_queue.dlq"].name == "bayon-coagent-ai-job-request-dlq-test" &&
      output.inside.request_queue["aws_sqs_queue.dlq"].message_retention_seconds == 1209600 &&
      jsondecode(output.inside.request_queue["aws_sqs_queue.dlq"].redrive_allow_policy) == {
        redrivePermission = "byQueue"
        sourceQueueArns   = ["arn:aws:sqs:eu-west-1:123456789012:bayon-coagent-ai-job-request-test"]
      }
    )
    error_message = "The request DLQ's name or retention is not the default, or others than the request queue may redrive into it."
  }

  # R-Q4
  assert {
    condition = (
      output.inside.response_queue["aws_sqs_queue.dlq"].name == "bayon-coagent-ai-job-response-dlq-test" &&
      output.inside.response_queue["aws_sqs_queue.dlq"].message_retention_seconds == 1209600 &&
      jsondecode(output.inside.response_queue["aws_sqs_queue.dlq"].redrive_allow_policy) == {
        redrivePermission = "byQueue"
        sourceQueueArns   = ["arn:aws:sqs:eu-west-1:123456789012:bayon-coagent-ai-job-response-test"]
      }
    )
    error_message = "The response DLQ's name or retention is not the default, or others than the response queue may redrive into it."
  }

  # R-Q5
  assert {
    condition = alltrue(flatten([
      for leaf in values(output.inside) : [
        for resource in values(leaf) :
        try(resource.tags, {}) == tomap({ Environment = "test", Application = "bayon-coagent", Service = "ai-jobs" })
        if can(resource.tags)
      ]
    ]))
    error_message = "Without the tags Environment, Application and Service: ${join(", ", flatten([
      for name, leaf in output.inside : [
        for address, resource in leaf : "${name} ${address}"
        if can(resource.tags) && try(resource.tags, null) != tomap({ Environment = "test", Application = "bayon-coagent", Service = "ai-jobs" })
      ]
    ]))}."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in concat(values(output.inside.request_queue), values(output.inside.response_queue)) :
      queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null &&
      jsondecode(queue.policy).Statement[0].Effect == "Deny" &&
      jsondecode(queue.policy).Statement[0].Condition == { Bool = { "aws:SecureTransport" = "false" } }
    ])
    error_message = "A queue is not encrypted, or takes plain HTTP."
  }

  # R-J3
  assert {
    condition = (
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].event_source_arn == "arn:aws:sqs:::request" &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].enabled &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].batch_size == 10 &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].maximum_batching_window_in_seconds == 5 &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].function_response_types == toset(["ReportBatchItemFailures"]) &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 10 &&
      output.inside.processor["aws_lambda_function.this"].timeout == 900 &&
      output.inside.processor["aws_lambda_function.this"].memory_size == 3008 &&
      output.inside.processor["aws_lambda_function.this"].reserved_concurrent_executions == -1 &&
      output.inside.processor["aws_lambda_function.this"].handler == "processor.handler.handler"
    )
    error_message = "The processor or its trigger by the request queue does not have the defaults."
  }

  # Throttled jobs, and results during an outage, go around as delayed copies: no runaway loop.
  assert {
    condition = (
      output.inside.processor["aws_lambda_function_recursion_config.this[0]"].recursive_loop == "Allow" &&
      output.inside.result_handler["aws_lambda_function_recursion_config.this[0]"].recursive_loop == "Allow" &&
      !contains(keys(output.inside.jobs_api), "aws_lambda_function_recursion_config.this[0]") &&
      !contains(keys(output.inside.reconciler), "aws_lambda_function_recursion_config.this[0]")
    )
    error_message = "The processor or the result handler may not send to its own queue, or another function may."
  }

  # R-E3
  assert {
    condition = (
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].name == "bayon-coagent-ai-job-reconciler-test" &&
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].schedule_expression == "rate(5 minutes)" &&
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].state == "ENABLED" &&
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].target[0].arn == "arn:aws:lambda:::reconciler" &&
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].target[0].role_arn == "arn:aws:iam::123456789012:role/schedule" &&
      output.inside.reconciler["aws_iam_role.schedule[0]"].name == "bayon-coagent-ai-job-schedule-test-eu-west-1" &&
      output.inside.reconciler["aws_lambda_function.this"].timeout == 240 &&
      output.inside.reconciler["aws_lambda_function.this"].memory_size == 1769 &&
      output.inside.reconciler["aws_lambda_function.this"].reserved_concurrent_executions == -1 &&
      output.inside.reconciler["aws_lambda_function.this"].handler == "reconciler.handler.handler" &&
      alltrue([
        for leaf in [output.inside.processor, output.inside.result_handler, output.inside.jobs_api] :
        !contains(keys(leaf), "aws_scheduler_schedule.this[0]")
      ])
    )
    error_message = "The reconciler does not run every five minutes with the defaults, or another function has a schedule."
  }

  assert {
    condition = (
      output.inside.bucket["aws_s3_bucket.this"].bucket == "bayon-coagent-ai-jobs-test-123456789012-eu-west-1" &&
      !output.inside.bucket["aws_s3_bucket.this"].force_destroy &&
      contains(keys(output.inside.bucket), "aws_s3_bucket_policy.this[0]") &&
      one(output.inside.bucket["aws_s3_bucket_server_side_encryption_configuration.this"].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256" &&
      { for rule in output.inside.bucket["aws_s3_bucket_lifecycle_configuration.this"].rule : rule.id => rule.expiration[0].days if rule.id != "broken-uploads" } == { results = 31, inputs = 31 }
    )
    error_message = "The bucket's name, protection, encryption or expiry is not the default."
  }

  # R-J5
  assert {
    condition = (
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].event_source_arn == "arn:aws:sqs:::response" &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].enabled &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].batch_size == 10 &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].maximum_batching_window_in_seconds == 0 &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].function_response_types == toset(["ReportBatchItemFailures"]) &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 10 &&
      output.inside.result_handler["aws_lambda_function.this"].timeout == 30 &&
      output.inside.result_handler["aws_lambda_function.this"].memory_size == 512 &&
      output.inside.result_handler["aws_lambda_function.this"].reserved_concurrent_executions == -1 &&
      output.inside.result_handler["aws_lambda_function.this"].handler == "result_handler.handler.handler"
    )
    error_message = "The result handler or its trigger by the response queue does not have the defaults."
  }

  # R-J6
  assert {
    condition = (
      !contains(keys(output.inside.jobs_api), "aws_lambda_event_source_mapping.queue[0]") &&
      output.inside.jobs_api["aws_lambda_function.this"].timeout == 29 &&
      output.inside.jobs_api["aws_lambda_function.this"].memory_size == 1024 &&
      output.inside.jobs_api["aws_lambda_function.this"].reserved_concurrent_executions == -1 &&
      output.inside.jobs_api["aws_lambda_function.this"].handler == "jobs_api.handler.handler" &&
      alltrue([
        for route in ["put_job", "get_job", "list_jobs", "cancel_job"] :
        output.inside.api["aws_api_gateway_integration.function[${route}]"].uri == "arn:aws:apigateway:::invoke-jobs-api" &&
        output.inside.api["aws_lambda_permission.function[${route}]"].function_name == "bayon-coagent-ai-jobs-api-test"
      ])
    )
    error_message = "A route of the jobs_api function does not end there, or not with the defaults."
  }

  # R-J1
  assert {
    condition = (
      output.inside.api["aws_api_gateway_integration.post_jobs"].uri == "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/bayon-coagent-ai-job-request-test" &&
      jsondecode(output.inside.api["aws_iam_role_policy.post_jobs"].policy).Statement[0].Resource == ["arn:aws:sqs:::request"] &&
      output.inside.api["aws_iam_role.post_jobs"].name == "bayon-coagent-ai-jobs-post-test-eu-west-1"
    )
    error_message = "POST /jobs does not go straight to the request queue."
  }

  assert {
    condition = (
      output.inside.api["aws_api_gateway_rest_api.this"].name == "bayon-coagent-ai-jobs-test" &&
      output.inside.api["aws_api_gateway_method.post_jobs"].authorization == "AWS_IAM" &&
      output.inside.api["aws_api_gateway_method.function[get_job]"].authorization == "AWS_IAM" &&
      output.inside.api["aws_api_gateway_stage.this"].stage_name == "v1" &&
      output.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 100 &&
      output.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 200 &&
      !contains(keys(output.inside.api), "aws_cloudwatch_log_group.access[0]")
    )
    error_message = "The API's name, authorization, stage, throttling or access log is not the default."
  }

  assert {
    condition = (
      output.inside.store["aws_dynamodb_table.this"].name == "bayon-coagent-ai-jobs-test" &&
      output.inside.store["aws_dynamodb_table.this"].deletion_protection_enabled &&
      output.inside.store["aws_dynamodb_table.this"].point_in_time_recovery[0].enabled &&
      output.inside.store["aws_dynamodb_table.this"].server_side_encryption[0].enabled
    )
    error_message = "The table's name, protection, recovery or encryption is not the default."
  }

  # R-M1
  assert {
    condition = (
      output.inside.alarms["aws_sns_topic.this[alarms]"].name == "bayon-coagent-ai-job-alarms-test" &&
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[request-dlq-messages]"].alarm_name == "bayon-coagent-ai-job-request-dlq-messages-test" &&
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[request-dlq-messages]"].dimensions == tomap({ QueueName = "bayon-coagent-ai-job-request-dlq-test" }) &&
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[response-dlq-messages]"].alarm_name == "bayon-coagent-ai-job-response-dlq-messages-test" &&
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[response-dlq-messages]"].dimensions == tomap({ QueueName = "bayon-coagent-ai-job-response-dlq-test" })
    )
    error_message = "A dead-letter queue is without its alarm."
  }

  assert {
    condition = (
      output.inside.job_types["aws_appconfig_application.this"].name == "bayon-coagent-ai-jobs-test" &&
      output.inside.job_types["aws_appconfig_environment.this"].name == "test" &&
      output.inside.job_types["aws_appconfig_deployment_strategy.at_once"].name == "bayon-coagent-ai-jobs-test-at-once"
    )
    error_message = "A name in AppConfig is wrong."
  }

  # IAM is global: with the region a second region of the same environment can be built.
  assert {
    condition = (
      output.inside.processor["aws_iam_role.this"].name == "bayon-coagent-ai-job-processor-test-eu-west-1" &&
      output.inside.result_handler["aws_iam_role.this"].name == "bayon-coagent-ai-job-result-handler-test-eu-west-1" &&
      output.inside.jobs_api["aws_iam_role.this"].name == "bayon-coagent-ai-jobs-api-test-eu-west-1" &&
      output.inside.reconciler["aws_iam_role.this"].name == "bayon-coagent-ai-job-reconciler-test-eu-west-1"
    )
    error_message = "A role's name is not that of its function and the region."
  }

  assert {
    condition = alltrue([
      for leaf in [output.inside.processor, output.inside.result_handler, output.inside.jobs_api, output.inside.reconciler, output.inside.event_publisher] :
      leaf["aws_cloudwatch_log_group.this"].retention_in_days == 30 && leaf["aws_iam_role.this"].path == "/" && leaf["aws_iam_role.this"].permissions_boundary == null
    ])
    error_message = "A function's log retention, role path or permissions boundary is not the default."
  }

  # The keys that ai_jobs.configuration reads.
  assert {
    condition = module.processor.environment_variables == tomap({
      AI_JOB_BUILD                      = "0.1.0+unversioned"
      POWERTOOLS_SERVICE_NAME           = "ai-job-processor"
      POWERTOOLS_LOG_LEVEL              = "INFO"
      POWERTOOLS_METRICS_NAMESPACE      = "bayon-coagent-ai-jobs-test"
      AI_JOB_TYPES                      = "blog-post,listing-description,market-update,social-media"
      AI_JOB_MODEL_PRICES               = jsonencode({ "amazon.nova-lite-v1:0" = { input = 0.06, output = 0.24 } })
      AI_JOB_REQUEST_QUEUE_URL          = "https://sqs/request"
      AI_JOB_REQUEST_DLQ_URL            = "https://sqs/request-dlq"
      AI_JOB_RESPONSE_QUEUE_URL         = "https://sqs/response"
      AI_JOB_TABLE_NAME                 = "bayon-coagent-ai-jobs-test"
      AI_JOB_BUCKET                     = "bayon-coagent-ai-jobs-test-123456789012-eu-west-1"
      AI_JOB_CONFIG_APPLICATION         = "app1abc"
      AI_JOB_CONFIG_ENVIRONMENT         = "env1abc"
      AI_JOB_CONFIG_PROFILE             = "pro1abc"
      AI_JOB_CONFIG_MAX_AGE_SECONDS     = "60"
      AI_JOB_VISIBILITY_TIMEOUT_SECONDS = "900"
      AI_JOB_MAX_RECEIVE_COUNT          = "3"
      AI_JOB_DEFAULT_DEADLINE_SECONDS   = "21600"
      AI_JOB_MAX_BACKOFF_SECONDS        = "900"
      AI_JOB_MODEL_ACCESS_WAIT_SECONDS  = "600"
      AI_JOB_RETENTION_DAYS             = "30"
    })
    error_message = "The processor's environment variables are ${jsonencode(module.processor.environment_variables)}."
  }

  assert {
    condition = module.result_handler.environment_variables == tomap({
      AI_JOB_BUILD                 = "0.1.0+unversioned"
      POWERTOOLS_SERVICE_NAME      = "ai-job-result-handler"
      POWERTOOLS_LOG_LEVEL         = "INFO"
      POWERTOOLS_METRICS_NAMESPACE = "bayon-coagent-ai-jobs-test"
      AI_JOB_TYPES                 = "blog-post,listing-description,market-update,social-media"
      AI_JOB_RESPONSE_QUEUE_URL    = "https://sqs/response"
      AI_JOB_RESPONSE_DLQ_URL      = "https://sqs/response-dlq"
      AI_JOB_TABLE_NAME            = "bayon-coagent-ai-jobs-test"
      AI_JOB_BUCKET                = "bayon-coagent-ai-jobs-test-123456789012-eu-west-1"
      AI_JOB_MAX_BACKOFF_SECONDS   = "900"
    })
    error_message = "The result handler's environment variables are ${jsonencode(module.result_handler.environment_variables)}."
  }

  assert {
    condition = module.jobs_api.environment_variables == tomap({
      AI_JOB_BUILD                      = "0.1.0+unversioned"
      POWERTOOLS_SERVICE_NAME           = "ai-jobs-api"
      POWERTOOLS_LOG_LEVEL              = "INFO"
      POWERTOOLS_METRICS_NAMESPACE      = "bayon-coagent-ai-jobs-test"
      AI_JOB_TYPES                      = "blog-post,listing-description,market-update,social-media"
      AI_JOB_AUTHORIZATION              = "AWS_IAM"
      AI_JOB_REQUEST_QUEUE_URL          = "https://sqs/request"
      AI_JOB_TABLE_NAME                 = "bayon-coagent-ai-jobs-test"
      AI_JOB_BUCKET                     = "bayon-coagent-ai-jobs-test-123456789012-eu-west-1"
      AI_JOB_CONFIG_APPLICATION         = "app1abc"
      AI_JOB_CONFIG_ENVIRONMENT         = "env1abc"
      AI_JOB_CONFIG_PROFILE             = "pro1abc"
      AI_JOB_CONFIG_MAX_AGE_SECONDS     = "60"
      AI_JOB_VISIBILITY_TIMEOUT_SECONDS = "900"
      AI_JOB_DEFAULT_DEADLINE_SECONDS   = "21600"
      AI_JOB_RETENTION_DAYS             = "30"
      AI_JOB_MAX_WAIT_SECONDS           = "25"
    })
    error_message = "The jobs_api function's environment variables are ${jsonencode(module.jobs_api.environment_variables)}."
  }

  assert {
    condition = module.reconciler.environment_variables == tomap({
      AI_JOB_BUILD                 = "0.1.0+unversioned"
      POWERTOOLS_SERVICE_NAME      = "ai-job-reconciler"
      POWERTOOLS_LOG_LEVEL         = "INFO"
      POWERTOOLS_METRICS_NAMESPACE = "bayon-coagent-ai-jobs-test"
      AI_JOB_TYPES                 = "blog-post,listing-description,market-update,social-media"
      AI_JOB_REQUEST_DLQ_URL       = "https://sqs/request-dlq"
      AI_JOB_RESPONSE_DLQ_URL      = "https://sqs/response-dlq"
      AI_JOB_TABLE_NAME            = "bayon-coagent-ai-jobs-test"
      AI_JOB_BUCKET                = "bayon-coagent-ai-jobs-test-123456789012-eu-west-1"
      AI_JOB_RETENTION_DAYS        = "30"
    })
    error_message = "The reconciler's environment variables are ${jsonencode(module.reconciler.environment_variables)}."
  }

  # The whole of what each function may do.
  assert {
    condition = { for statement in jsondecode(module.processor.role_policy).Statement : statement.Sid => [statement.Action, statement.Resource, can(statement.Condition)] } == {
      WriteOwnLogs              = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:::processor:*"], false]
      WriteTraces               = [["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"], false]
      WorkOnRequests            = [["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility", "sqs:SendMessage"], ["arn:aws:sqs:::request"], false]
      SendResultsAndGivenUpJobs = [["sqs:SendMessage"], ["arn:aws:sqs:::response", "arn:aws:sqs:::request-dlq"], false]
      KeepJobs                  = [["dynamodb:GetItem", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:::jobs"], false]
      StoreLargeResults         = [["s3:PutObject"], ["arn:aws:s3:::objects/results/*"], false]
      ReadLargeInputs           = [["s3:GetObject"], ["arn:aws:s3:::objects/inputs/*"], false]
      TellMissingInputs         = [["s3:ListBucket"], ["arn:aws:s3:::objects"], true]
      ReadJobTypes              = [["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"], ["arn:aws:appconfig:eu-west-1:123456789012:application/app1abc/environment/env1abc/configuration/pro1abc"], false]
      InvokeModels              = [["bedrock:InvokeModel"], ["arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"], false]
    }
    error_message = "The processor may do other things than it should: ${module.processor.role_policy}"
  }

  assert {
    condition = { for statement in jsondecode(module.result_handler.role_policy).Statement : statement.Sid => [statement.Action, statement.Resource] } == {
      WriteOwnLogs       = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:::result-handler:*"]]
      WriteTraces        = [["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]]
      WorkOnResults      = [["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"], ["arn:aws:sqs:::response"]]
      SendGivenUpResults = [["sqs:SendMessage"], ["arn:aws:sqs:::response-dlq"]]
      WriteResults       = [["dynamodb:UpdateItem"], ["arn:aws:dynamodb:::jobs"]]
    }
    error_message = "The result handler may do other things than it should: ${module.result_handler.role_policy}"
  }

  assert {
    condition = { for statement in jsondecode(module.jobs_api.role_policy).Statement : statement.Sid => [statement.Action, statement.Resource] } == {
      WriteOwnLogs            = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:::jobs-api:*"]]
      WriteTraces             = [["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]]
      SubmitReadAndCancelJobs = [["dynamodb:GetItem", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:::jobs"]]
      ListJobs                = [["dynamodb:Query"], ["arn:aws:dynamodb:::jobs/index/by-user"]]
      EnqueueJobs             = [["sqs:SendMessage"], ["arn:aws:sqs:::request"]]
      StoreLargeInputs        = [["s3:PutObject"], ["arn:aws:s3:::objects/inputs/*"]]
      SignResultUrls          = [["s3:GetObject"], ["arn:aws:s3:::objects/results/*"]]
      ReadJobTypes            = [["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"], ["arn:aws:appconfig:eu-west-1:123456789012:application/app1abc/environment/env1abc/configuration/pro1abc"]]
    }
    error_message = "The jobs_api function may do other things than it should: ${module.jobs_api.role_policy}"
  }

  assert {
    condition = { for statement in jsondecode(module.reconciler.role_policy).Statement : statement.Sid => [statement.Action, statement.Resource] } == {
      WriteOwnLogs      = [["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:::reconciler:*"]]
      WriteTraces       = [["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]]
      WorkOnDeadLetters = [["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:SendMessage"], ["arn:aws:sqs:::request-dlq", "arn:aws:sqs:::response-dlq"]]
      FindOpenJobs      = [["dynamodb:Query"], ["arn:aws:dynamodb:::jobs/index/open-jobs"]]
      CloseJobs         = [["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], ["arn:aws:dynamodb:::jobs"]]
    }
    error_message = "The reconciler may do other things than it should: ${module.reconciler.role_policy}"
  }

  assert {
    condition = [
      for statement in jsondecode(module.processor.role_policy).Statement : statement.Condition if statement.Sid == "TellMissingInputs"
    ] == [{ StringLike = { "s3:prefix" = ["inputs/*"] } }]
    error_message = "The processor may list more of the bucket than the inputs."
  }

  # R-P3
  assert {
    condition = alltrue([
      for name, leaf in { processor = output.inside.processor, result_handler = output.inside.result_handler, jobs_api = output.inside.jobs_api, reconciler = output.inside.reconciler, event_publisher = output.inside.event_publisher } :
      leaf["aws_lambda_function.this"].s3_bucket == "releases" &&
      leaf["aws_lambda_function.this"].s3_key == "${name}.zip" &&
      leaf["aws_lambda_function.this"].s3_object_version == null &&
      leaf["aws_lambda_function.this"].filename == null
    ])
    error_message = "A zip is not taken from the bucket under its own name."
  }

  # R-J7: a job without a model of its own uses the default.
  assert {
    condition     = alltrue([for type in values(jsondecode(module.job_types.document).jobTypes) : type.modelId == "amazon.nova-lite-v1:0"])
    error_message = "A built-in job type does not use default_model_id."
  }
}

# Every setting away from its default, and most at the edge of what is allowed.
run "settings_given" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    name        = "acme"
    environment = "prd"
    tags        = { Team = "growth", Environment = "Production" }
    require_tls = false
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    iam         = { role_path = "/platform/", permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary" }
    vpc         = { subnet_ids = ["subnet-0a"], security_group_ids = ["sg-0b"] }

    packages = { s3 = { bucket = "zips", prefix = "/ai-jobs/1.2.0/", versions = { processor = "v1", result_handler = "v2", jobs_api = "v3", reconciler = "v4", event_publisher = "v5" } } }

    request_queue = {
      visibility_timeout_seconds    = 43200
      message_retention_seconds     = 60
      dlq_message_retention_seconds = 61
      receive_wait_time_seconds     = 0
      max_receive_count             = 1000
    }
    response_queue = {
      visibility_timeout_seconds    = 29
      message_retention_seconds     = 120
      dlq_message_retention_seconds = 120
      receive_wait_time_seconds     = 1
      max_receive_count             = 1
    }
    processor = {
      timeout_seconds         = 899
      memory_mb               = 10240
      batch_size              = 10000
      batching_window_seconds = 300
      maximum_concurrency     = 1000
      reserved_concurrency    = 1000
      enabled                 = false
    }
    result_handler = {
      timeout_seconds         = 29
      memory_mb               = 128
      batch_size              = 11
      batching_window_seconds = 1
      maximum_concurrency     = 2
      reserved_concurrency    = 2
      enabled                 = false
    }
    jobs_api   = { timeout_seconds = 24, memory_mb = 512, reserved_concurrency = 3, max_wait_seconds = 20, max_concurrent_waits = 40 }
    reconciler = { interval_minutes = 1, timeout_seconds = 30, memory_mb = 256, reserved_concurrency = 1, enabled = false }

    api   = { authorization = "NONE", stage_name = "live", throttling_rate_limit = 7, throttling_burst_limit = 8, access_logs = true }
    table = { deletion_protection = false, point_in_time_recovery = false }
    jobs  = { retention_days = 1, default_deadline_seconds = 1209600, max_backoff_seconds = 1, config_max_age_seconds = 15 }
    logs  = { level = "ERROR", retention_days = 3653, saved_queries = false }

    alarms = {
      topic_arns           = ["arn:aws:sns:eu-west-1:123456789012:chat"]
      topic_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/0002"
      page_email_addresses = ["on-call@example.com"]
      runbook_url          = "https://wiki.example.com/runbooks"
      thresholds = {
        request_queue_depth = 1, oldest_message_age_seconds = 2, processing_rate_jobs_per_minute = 3, waiting_jobs = 4,
        failed_jobs_percent = 5, failed_jobs_minimum = 6, oldest_open_job_seconds = 7, function_errors = 8,
        duration_percent    = 50, concurrency_percent = 60, api_error_percent = 9, api_latency_ms = 10, table_throttles = 11,
      }
    }
    model_prices = { "acme.model" = { input = 1, output = 2.5 } }

    bucket = { force_destroy = true }
    budget = { daily_tokens_per_user = 50000, daily_tokens_total = 50001 }

    # 15 s under the function's 899, less one: the longest that fits.
    job_types = { slow = { prompt = "{{ text }}", timeout_seconds = 883, input_schema = "{}" } }
  }

  assert {
    condition = (
      output.inside.request_queue["aws_sqs_queue.this"].name == "acme-ai-job-request-prd" &&
      output.inside.request_queue["aws_sqs_queue.this"].visibility_timeout_seconds == 43200 &&
      output.inside.request_queue["aws_sqs_queue.this"].message_retention_seconds == 60 &&
      output.inside.request_queue["aws_sqs_queue.dlq"].message_retention_seconds == 61 &&
      output.inside.request_queue["aws_sqs_queue.this"].receive_wait_time_seconds == 0 &&
      jsondecode(output.inside.request_queue["aws_sqs_queue.this"].redrive_policy).maxReceiveCount == 1000
    )
    error_message = "request_queue does not reach the request queue."
  }

  assert {
    condition = (
      output.inside.response_queue["aws_sqs_queue.this"].name == "acme-ai-job-response-prd" &&
      output.inside.response_queue["aws_sqs_queue.this"].visibility_timeout_seconds == 29 &&
      output.inside.response_queue["aws_sqs_queue.this"].message_retention_seconds == 120 &&
      output.inside.response_queue["aws_sqs_queue.dlq"].message_retention_seconds == 120 &&
      output.inside.response_queue["aws_sqs_queue.this"].receive_wait_time_seconds == 1 &&
      jsondecode(output.inside.response_queue["aws_sqs_queue.this"].redrive_policy).maxReceiveCount == 1
    )
    error_message = "response_queue does not reach the response queue."
  }

  assert {
    condition = (
      output.inside.processor["aws_lambda_function.this"].timeout == 899 &&
      output.inside.processor["aws_lambda_function.this"].memory_size == 10240 &&
      output.inside.processor["aws_lambda_function.this"].reserved_concurrent_executions == 1000 &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].batch_size == 10000 &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].maximum_batching_window_in_seconds == 300 &&
      output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 1000 &&
      !output.inside.processor["aws_lambda_event_source_mapping.queue[0]"].enabled
    )
    error_message = "processor does not reach the processor."
  }

  assert {
    condition = (
      output.inside.result_handler["aws_lambda_function.this"].timeout == 29 &&
      output.inside.result_handler["aws_lambda_function.this"].memory_size == 128 &&
      output.inside.result_handler["aws_lambda_function.this"].reserved_concurrent_executions == 2 &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].batch_size == 11 &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].maximum_batching_window_in_seconds == 1 &&
      output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].scaling_config[0].maximum_concurrency == 2 &&
      !output.inside.result_handler["aws_lambda_event_source_mapping.queue[0]"].enabled
    )
    error_message = "result_handler does not reach the result handler."
  }

  assert {
    condition = (
      output.inside.jobs_api["aws_lambda_function.this"].timeout == 24 &&
      output.inside.jobs_api["aws_lambda_function.this"].memory_size == 512 &&
      output.inside.jobs_api["aws_lambda_function.this"].reserved_concurrent_executions == 3 &&
      module.jobs_api.environment_variables.AI_JOB_MAX_WAIT_SECONDS == "20" &&
      alltrue([
        for leaf in [output.inside.processor, output.inside.result_handler, output.inside.jobs_api, output.inside.reconciler, output.inside.event_publisher] :
        leaf["aws_lambda_function.this"].vpc_config[0].subnet_ids == toset(["subnet-0a"])
      ]) &&
      module.jobs_api.environment_variables.AI_JOB_MAX_CONCURRENT_WAITS == "40" &&
      module.jobs_api.environment_variables.AI_JOB_BUILD == "0.1.0+v3" &&
      module.jobs_api.environment_variables.AI_JOB_AUTHORIZATION == "NONE"
    )
    error_message = "jobs_api does not reach the jobs_api function."
  }

  assert {
    condition = (
      output.inside.reconciler["aws_lambda_function.this"].timeout == 30 &&
      output.inside.reconciler["aws_lambda_function.this"].memory_size == 256 &&
      output.inside.reconciler["aws_lambda_function.this"].reserved_concurrent_executions == 1 &&
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].schedule_expression == "rate(1 minute)" &&
      output.inside.reconciler["aws_scheduler_schedule.this[0]"].state == "DISABLED" &&
      module.reconciler.environment_variables.AI_JOB_RETENTION_DAYS == "1"
    )
    error_message = "reconciler does not reach the reconciler."
  }

  assert {
    condition = (
      module.processor.environment_variables.AI_JOB_DAILY_TOKENS_PER_USER == "50000" &&
      module.processor.environment_variables.AI_JOB_DAILY_TOKENS_TOTAL == "50001"
    )
    error_message = "budget does not reach the processor."
  }

  assert {
    condition = (
      output.inside.bucket["aws_s3_bucket.this"].force_destroy &&
      !contains(keys(output.inside.bucket), "aws_s3_bucket_policy.this[0]") &&
      one(output.inside.bucket["aws_s3_bucket_server_side_encryption_configuration.this"].rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0001" &&
      { for rule in output.inside.bucket["aws_s3_bucket_lifecycle_configuration.this"].rule : rule.id => rule.expiration[0].days if rule.id != "broken-uploads" } == { results = 2, inputs = 31 }
    )
    error_message = "bucket, require_tls, kms_key_arn or jobs.retention_days does not reach the bucket."
  }

  assert {
    condition = (
      output.inside.api["aws_api_gateway_method.post_jobs"].authorization == "NONE" &&
      output.inside.api["aws_api_gateway_method.function[get_job]"].authorization == "NONE" &&
      output.api_stage_name == "live" &&
      output.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_rate_limit == 7 &&
      output.inside.api["aws_api_gateway_method_settings.all"].settings[0].throttling_burst_limit == 8 &&
      output.inside.api["aws_cloudwatch_log_group.access[0]"].retention_in_days == 3653
    )
    error_message = "api does not reach the API."
  }

  assert {
    condition = (
      !output.inside.store["aws_dynamodb_table.this"].deletion_protection_enabled &&
      !output.inside.store["aws_dynamodb_table.this"].point_in_time_recovery[0].enabled
    )
    error_message = "table does not reach the table."
  }

  assert {
    condition = (
      module.processor.environment_variables.AI_JOB_RETENTION_DAYS == "1" &&
      module.processor.environment_variables.AI_JOB_DEFAULT_DEADLINE_SECONDS == "1209600" &&
      module.processor.environment_variables.AI_JOB_MAX_BACKOFF_SECONDS == "1" &&
      module.processor.environment_variables.AI_JOB_CONFIG_MAX_AGE_SECONDS == "15" &&
      module.processor.environment_variables.AI_JOB_VISIBILITY_TIMEOUT_SECONDS == "43200" &&
      module.processor.environment_variables.AI_JOB_MAX_RECEIVE_COUNT == "1000"
    )
    error_message = "jobs or request_queue does not reach the processor's environment variables."
  }

  assert {
    condition = alltrue([
      for leaf in [output.inside.processor, output.inside.result_handler, output.inside.jobs_api, output.inside.reconciler, output.inside.event_publisher] :
      leaf["aws_lambda_function.this"].environment[0].variables.POWERTOOLS_LOG_LEVEL == "ERROR" &&
      leaf["aws_cloudwatch_log_group.this"].retention_in_days == 3653
    ])
    error_message = "logs does not reach every function."
  }

  assert {
    condition = alltrue([
      for role in [
        output.inside.processor["aws_iam_role.this"], output.inside.result_handler["aws_iam_role.this"],
        output.inside.jobs_api["aws_iam_role.this"], output.inside.api["aws_iam_role.post_jobs"],
        output.inside.reconciler["aws_iam_role.this"], output.inside.reconciler["aws_iam_role.schedule[0]"],
        output.inside.event_publisher["aws_iam_role.this"],
      ] : role.path == "/platform/" && role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    ])
    error_message = "iam does not reach every role."
  }

  # A change of the path replaces the roles, some of them before the old ones are gone: a name may be used once.
  assert {
    condition = alltrue(flatten([
      for leaf in values(output.inside) : [
        for address, role in leaf : endswith(role.name, "-prd-eu-west-1-${substr(sha256("/platform/"), 0, 6)}") if startswith(address, "aws_iam_role.")
      ]
    ]))
    error_message = "A role has the name that it would have under another path."
  }

  # R-Q5: the caller's tags too, and theirs win.
  assert {
    condition = alltrue(flatten([
      for leaf in values(output.inside) : [
        for resource in values(leaf) :
        try(resource.tags, {}) == tomap({ Environment = "Production", Application = "acme", Service = "ai-jobs", Team = "growth" })
        if can(resource.tags)
      ]
    ]))
    error_message = "A resource does not carry the module's tags and the caller's."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in concat(values(output.inside.request_queue), values(output.inside.response_queue)) :
      queue.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0001" && !can(jsondecode(queue.policy))
    ])
    error_message = "A queue is without the customer key, or require_tls = false does not reach it."
  }

  assert {
    condition = (
      output.inside.store["aws_dynamodb_table.this"].server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/0001" &&
      alltrue([
        for policy in [
          module.processor.role_policy, module.result_handler.role_policy, module.jobs_api.role_policy,
          module.api.role_policy, module.reconciler.role_policy,
        ] :
        anytrue([
          for statement in jsondecode(policy).Statement :
          contains(statement.Action, "kms:Decrypt") && contains(statement.Action, "kms:GenerateDataKey") &&
          statement.Resource == ["arn:aws:kms:eu-west-1:123456789012:key/0001"]
        ])
      ])
    )
    error_message = "The customer key does not reach the table or the role of one of its users."
  }

  # R-P3
  assert {
    condition = alltrue([
      for name, given in {
        processor       = { function = output.inside.processor["aws_lambda_function.this"], version = "v1" }
        result_handler  = { function = output.inside.result_handler["aws_lambda_function.this"], version = "v2" }
        jobs_api        = { function = output.inside.jobs_api["aws_lambda_function.this"], version = "v3" }
        reconciler      = { function = output.inside.reconciler["aws_lambda_function.this"], version = "v4" }
        event_publisher = { function = output.inside.event_publisher["aws_lambda_function.this"], version = "v5" }
      } :
      given.function.s3_bucket == "zips" && given.function.s3_key == "ai-jobs/1.2.0/${name}.zip" &&
      given.function.s3_object_version == given.version
    ])
    error_message = "Bucket, prefix or versions do not reach the function they belong to."
  }

  assert {
    condition = { for key in [
      "request-queue-depth", "request-queue-age", "response-queue-age", "processing-rate", "jobs-waiting", "failed-jobs", "oldest-open-job",
      "processor-errors", "processor-duration", "processor-concurrency", "jobs-api-concurrency", "api-errors", "api-latency", "table-throttles",
      ] : key => output.inside.alarms["aws_cloudwatch_metric_alarm.this[${key}]"].threshold } == {
      request-queue-depth = 1, request-queue-age = 2, response-queue-age = 2, processing-rate = 3, jobs-waiting = 4, failed-jobs = 5, oldest-open-job = 7,
      processor-errors    = 8, processor-duration = 449500, processor-concurrency = 600, jobs-api-concurrency = 1, api-errors = 9, api-latency = 10, table-throttles = 11,
    }
    error_message = "A threshold does not reach its alarm."
  }
  assert {
    condition = (
      output.inside.alarms["aws_cloudwatch_metric_alarm.this[failed-jobs]"].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:chat"]) &&
      strcontains(output.inside.alarms["aws_cloudwatch_metric_alarm.this[failed-jobs]"].alarm_description, "https://wiki.example.com/runbooks#failed-jobs") &&
      [for query in output.inside.alarms["aws_cloudwatch_metric_alarm.this[failed-jobs]"].metric_query : strcontains(query.expression, ">= 6") if query.return_data == true] == [true] &&
      output.inside.alarms["aws_sns_topic.this[pages]"].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0002" &&
      output.inside.alarms["aws_sns_topic_subscription.email[pages on-call@example.com]"].endpoint == "on-call@example.com" &&
      !contains(keys(output.inside.alarms), "aws_sns_topic.this[alarms]")
    )
    error_message = "The callers' topics, key, addresses or runbooks do not reach the alarms."
  }
  assert {
    condition     = module.processor.environment_variables["AI_JOB_MODEL_PRICES"] == jsonencode({ "acme.model" = { input = 1, output = 2.5 } })
    error_message = "The model's price does not reach the processor."
  }
  assert {
    condition     = length(output.inside.dashboard) == 1
    error_message = "There are saved queries that nobody wants."
  }
}

# R-P3
run "zips_from_a_directory" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    # As long as names may be: the result handler's role gets 64 characters.
    name        = "platform"
    environment = "north-east-production-1"
    packages    = { directory = "fixtures/packages" }
  }

  assert {
    condition = alltrue([
      for name, leaf in { processor = output.inside.processor, result_handler = output.inside.result_handler, jobs_api = output.inside.jobs_api, reconciler = output.inside.reconciler, event_publisher = output.inside.event_publisher } :
      leaf["aws_lambda_function.this"].filename == "fixtures/packages/${name}.zip" &&
      leaf["aws_lambda_function.this"].source_code_hash == filebase64sha256("fixtures/packages/${name}.zip") &&
      output.builds[name] == "0.1.0+${substr(filesha256("fixtures/packages/${name}.zip"), 0, 12)}" &&
      leaf["aws_lambda_function.this"].s3_bucket == null
    ])
    error_message = "A zip is not taken from the directory under its own name, or a change of it would not be noticed."
  }

  # Whatever has a name, at the longest that name and environment may be.
  assert {
    condition = alltrue(flatten([
      for leaf in values(output.inside) : [
        for address, resource in leaf : length(try(resource.name, resource.function_name, resource.bucket, resource.alarm_name, resource.dashboard_name)) <= lookup({
          aws_sqs_queue             = 80, aws_lambda_function = 64, aws_iam_role = 64, aws_s3_bucket = 63, aws_scheduler_schedule = 64,
          aws_appconfig_application = 64, aws_appconfig_deployment_strategy = 64,
        }, split(".", address)[0], 255)
        if can(coalesce(try(resource.name, null), try(resource.function_name, null), try(resource.bucket, null), try(resource.alarm_name, null), try(resource.dashboard_name, null)))
      ]
    ]))
    error_message = "A name is longer than AWS allows, although the rule of var.name let it pass."
  }
}

# R-J7
run "caller_adds_and_replaces_job_types" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    default_model_id = "eu.amazon.nova-pro-v1:0"
    job_types = {
      summary = {
        prompt       = "Summarise {{ text }}"
        input_schema = "{\"type\": \"object\", \"required\": [\"text\"]}"
      }
      # All of a type, not a part of it: no system_prompt is left over from the built-in one.
      blog-post = {
        model_id        = "anthropic.claude-3-haiku-20240307-v1:0"
        prompt          = "Our own prompt about {{ subject }}"
        max_tokens      = 100
        temperature     = 0
        timeout_seconds = 30
        guardrail       = { id = "abc123", version = "DRAFT" }
        input_schema    = "{\"type\": \"object\"}"
      }
    }
  }

  assert {
    condition     = output.job_types == tolist(["blog-post", "listing-description", "market-update", "social-media", "summary"])
    error_message = "The caller's types are not merged over the built-in ones: ${join(", ", output.job_types)}."
  }

  assert {
    condition = jsondecode(module.job_types.document).jobTypes.blog-post == {
      modelId        = "anthropic.claude-3-haiku-20240307-v1:0"
      prompt         = "Our own prompt about {{ subject }}"
      maxTokens      = 100
      temperature    = 0
      timeoutSeconds = 30
      guardrail      = { id = "abc123", version = "DRAFT" }
      inputSchema    = { type = "object" }
    }
    error_message = "The built-in type is not replaced as a whole."
  }

  assert {
    condition = jsondecode(module.job_types.document).jobTypes.summary == {
      modelId        = "eu.amazon.nova-pro-v1:0"
      prompt         = "Summarise {{ text }}"
      maxTokens      = 2048
      timeoutSeconds = 120
      inputSchema    = { type = "object", required = ["text"] }
    }
    error_message = "The caller's type does not have the default model, or not the other defaults."
  }

  assert {
    condition     = jsondecode(module.job_types.document).jobTypes.social-media.modelId == "eu.amazon.nova-pro-v1:0"
    error_message = "default_model_id does not reach the built-in types."
  }

  # Calls through a profile are authorised on the profile, and on the model in whatever region it is routed to.
  assert {
    condition = { for statement in jsondecode(module.processor.role_policy).Statement : statement.Sid => statement if startswith(statement.Action[0], "bedrock:") } == {
      InvokeModels = {
        Sid = "InvokeModels", Effect = "Allow", Action = ["bedrock:InvokeModel"]
        Resource = [
          "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
          "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
        ]
      }
      InvokeModelsThroughProfiles = {
        Sid = "InvokeModelsThroughProfiles", Effect = "Allow", Action = ["bedrock:InvokeModel"]
        Resource = [
          "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0",
          "arn:aws:bedrock:::foundation-model/amazon.nova-pro-v1:0",
        ]
        Condition = { StringEquals = { "bedrock:InferenceProfileArn" = ["arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0"] } }
      }
      ApplyGuardrails = {
        Sid      = "ApplyGuardrails", Effect = "Allow", Action = ["bedrock:ApplyGuardrail"]
        Resource = ["arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123"]
      }
    }
    error_message = "The processor may not call exactly the configured models and guardrails: ${module.processor.role_policy}"
  }
}

# R-J7
run "without_the_builtin_job_types" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    builtin_job_types = false
    default_model_id  = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"
    job_types = {
      summary = {
        prompt       = "Summarise {{ text }}"
        guardrail    = { id = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123", version = "1" }
        input_schema = "{}"
      }
    }
  }

  assert {
    condition     = output.job_types == tolist(["summary"]) && keys(jsondecode(module.job_types.document).jobTypes) == ["summary"]
    error_message = "builtin_job_types = false leaves built-in types: ${join(", ", output.job_types)}."
  }

  assert {
    condition = { for statement in jsondecode(module.processor.role_policy).Statement : statement.Sid => statement.Resource if startswith(statement.Action[0], "bedrock:") } == {
      InvokeModels = ["arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"]
      InvokeModelsThroughGivenProfiles = [
        "arn:aws:bedrock:*::foundation-model/*",
        "arn:aws:bedrock:::foundation-model/*",
      ]
      ApplyGuardrails = ["arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123"]
    }
    error_message = "A model or guardrail given as an ARN does not reach the policy as it is: ${module.processor.role_policy}"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(module.processor.role_policy).Statement :
      statement.Condition == { StringEquals = { "bedrock:InferenceProfileArn" = ["arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"] } }
      if statement.Sid == "InvokeModelsThroughGivenProfiles"
    ])
    error_message = "Foundation models may be called without the given profile."
  }
}

# The rest of what api can say, which settings_given's NONE leaves no room for.
run "token_modes" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    api = {
      authorization = "COGNITO_USER_POOLS"
      cognito = {
        user_pool_arns = ["arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_Abc", "arn:aws-us-gov:cognito-idp:us-gov-west-1:123456789012:userpool/us-gov-west-1_Abc"]
        scopes         = ["ai-jobs/use", "https://example.com/jobs"]
      }
      usage_plan      = { keys = { web = { value = "01234567890123456789" }, mobile = {} }, rate_limit = 0.5, burst_limit = 1, quota = { limit = 1, period = "MONTH" } }
      resource_policy = { json = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
      waf             = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1" }
      domain          = { name = "jobs.eu.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", base_path = "v1.0_a-b" }
      cors            = { allow_origins = ["https://app.example.com", "http://localhost:3000"], max_age_seconds = 60 }
    }
    # No waiting, so no time for it.
    jobs_api = { max_wait_seconds = 0, timeout_seconds = 3 }
  }

  assert {
    condition = (
      output.inside.api["aws_api_gateway_authorizer.this[0]"].type == "COGNITO_USER_POOLS" &&
      length(output.inside.api["aws_api_gateway_authorizer.this[0]"].provider_arns) == 2 &&
      output.inside.api["aws_api_gateway_method.post_jobs"].authorization_scopes == toset(["ai-jobs/use", "https://example.com/jobs"]) &&
      output.inside.api["aws_api_gateway_method.function[list_jobs]"].api_key_required &&
      output.inside.api["aws_api_gateway_usage_plan.this[0]"].throttle_settings[0].rate_limit == 0.5 &&
      output.inside.api["aws_api_gateway_usage_plan.this[0]"].quota_settings[0].period == "MONTH" &&
      contains(keys(output.inside.api), "aws_api_gateway_api_key.this[mobile]") &&
      contains(keys(output.inside.api), "aws_api_gateway_rest_api_policy.this[0]") &&
      output.inside.api["aws_wafv2_web_acl_association.this[0]"].web_acl_arn == "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1" &&
      output.inside.api["aws_api_gateway_domain_name.this[0]"].regional_certificate_arn == "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    )
    error_message = "Some part of api does not reach the API."
  }
  # The function must take the identity from where the gateway puts it.
  assert {
    condition     = module.jobs_api.environment_variables.AI_JOB_AUTHORIZATION == "COGNITO_USER_POOLS" && module.jobs_api.environment_variables.AI_JOB_MAX_WAIT_SECONDS == "0"
    error_message = "The function does not know how callers are authorized."
  }
  # The gateway and the function both answer pages.
  assert {
    condition = (
      module.jobs_api.environment_variables.AI_JOB_CORS_ALLOW_ORIGINS == "https://app.example.com http://localhost:3000" &&
      output.inside.api["aws_api_gateway_integration_response.preflight[jobs]"].response_parameters["method.response.header.Access-Control-Max-Age"] == "'60'"
    )
    error_message = "The origins do not reach both the gateway and the function."
  }
  assert {
    condition     = output.api_url == "https://jobs.eu.example.com/v1.0_a-b"
    error_message = "api_url is not the domain's: ${output.api_url}"
  }
}

run "lambda_authorizer" {
  command = plan

  module {
    source = "./fixtures/opened/modules/ai-jobs"
  }

  variables {
    api = {
      authorization = "CUSTOM"
      lambda_authorizer = {
        function_arn       = "arn:aws:lambda:eu-west-1:123456789012:function:who"
        type               = "REQUEST"
        identity_source    = "method.request.header.Authorization, method.request.header.X-Tenant"
        result_ttl_seconds = 3600
      }
    }
  }

  assert {
    condition = (
      output.inside.api["aws_api_gateway_authorizer.this[0]"].type == "REQUEST" &&
      output.inside.api["aws_api_gateway_authorizer.this[0]"].authorizer_result_ttl_in_seconds == 3600 &&
      output.inside.api["aws_lambda_permission.authorizer[0]"].function_name == "arn:aws:lambda:eu-west-1:123456789012:function:who" &&
      module.jobs_api.environment_variables.AI_JOB_AUTHORIZATION == "CUSTOM"
    )
    error_message = "api.lambda_authorizer does not reach the API, or its mode not the function."
  }
}
