# The function leaf: a Lambda function with its role, its log group and, if asked for, its queue trigger.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/worker-test-eu-west-1", id = "worker-test-eu-west-1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:worker" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn     = "arn:aws:lambda:eu-west-1:123456789012:function:worker-test"
      version = "7"
    }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:123456789012:function:worker-test:live"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:worker-test:live/invocations"
    }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "Chss" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:failures-test", url = "https://sqs/failures-test" }
  }
  mock_resource "aws_lambda_event_source_mapping" {
    defaults = { uuid = "6f6a1111-2222-3333-4444-555555555555" }
  }
}

variables {
  name            = "worker-test"
  description     = "Works."
  handler         = "worker.handler.handler"
  package         = { path = "fixtures/packages/processor.zip" }
  timeout_seconds = 900
  memory_mb       = 3008
  role_name       = "worker-test-eu-west-1"
  tags            = { Environment = "test", Team = "jobs" }

  environment_variables = { TABLE_NAME = "jobs-test" }

  statements = [
    {
      sid       = "ReadJobs"
      actions   = ["dynamodb:GetItem"]
      resources = ["arn:aws:dynamodb:eu-west-1:123456789012:table/jobs-test"]
    },
    {
      sid        = "InvokeThroughProfile"
      actions    = ["bedrock:InvokeModel"]
      resources  = ["arn:aws:bedrock:*::foundation-model/m"]
      conditions = { StringEquals = { "bedrock:InferenceProfileArn" = ["arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.m"] } }
    },
  ]

  role_path          = "/"
  log_retention_days = 30
}

run "without_a_trigger" {
  command = plan

  module {
    source = "../../modules/function"
  }

  # The zips hold byte code of exactly this version, and no compiled code.
  assert {
    condition     = aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "The function must run on Python 3.13 and arm64."
  }
  assert {
    condition     = aws_lambda_function.this.function_name == "worker-test" && aws_lambda_function.this.handler == "worker.handler.handler" && aws_lambda_function.this.description == "Works."
    error_message = "The function does not have the given name, handler and description."
  }
  # R-J3
  assert {
    condition     = aws_lambda_function.this.timeout == 900 && aws_lambda_function.this.memory_size == 3008
    error_message = "The function does not have the given timeout and memory."
  }
  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "Tracing must be active."
  }
  # New accounts cannot reserve any concurrency: -1 is Lambda's word for none.
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "No concurrency may be reserved by default."
  }
  assert {
    condition = alltrue([
      for variables in [aws_lambda_function.this.environment[0].variables, output.environment_variables] :
      variables == tomap(merge(var.environment_variables, { AI_JOB_BUILD = output.build }))
    ])
    error_message = "The function must have the given environment variables and its build, and no others."
  }
  assert {
    condition     = output.build == substr(filesha256("fixtures/packages/processor.zip"), 0, 12)
    error_message = "The build is ${output.build}: it must be the first digits of the zip's SHA-256, and nothing that changes while the zip does not."
  }

  # R-P3
  assert {
    condition = (
      aws_lambda_function.this.filename == var.package.path && aws_lambda_function.this.source_code_hash == filebase64sha256(var.package.path) &&
      aws_lambda_function.this.s3_bucket == null && aws_lambda_function.this.s3_key == null
    )
    error_message = "The function must be made of the local zip, and change when the zip does."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/worker-test" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log group must be the function's, and keep 30 days."
  }
  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_group == aws_cloudwatch_log_group.this.name
    error_message = "The function must write to the log group that the module owns."
  }

  # The whole policy: nothing but its own logs and traces, and what the caller passed in. A function that may
  # create log groups would create its own again after the module's is gone, without a retention.
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      {
        Sid      = "WriteOwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
      },
      {
        Sid      = "WriteTraces"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = ["*"]
      },
      {
        Sid      = "ReadJobs"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem"]
        Resource = ["arn:aws:dynamodb:eu-west-1:123456789012:table/jobs-test"]
      },
      {
        Sid       = "InvokeThroughProfile"
        Effect    = "Allow"
        Action    = ["bedrock:InvokeModel"]
        Resource  = ["arn:aws:bedrock:*::foundation-model/m"]
        Condition = { StringEquals = { "bedrock:InferenceProfileArn" = ["arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.m"] } }
      },
    ]
    error_message = "The role may do something else than it should: ${aws_iam_role_policy.this.policy}"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "CreateLogGroup") && !strcontains(aws_iam_role_policy.this.policy, "logs:*")
    error_message = "The role may create log groups."
  }
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
    error_message = "Only Lambda may take the role."
  }
  assert {
    condition     = aws_iam_role.this.name == "worker-test-eu-west-1" && aws_iam_role.this.path == "/" && aws_iam_role.this.permissions_boundary == null
    error_message = "The role must have the given name, and neither path nor boundary by default."
  }
  assert {
    condition     = aws_iam_role_policy.this.role == aws_iam_role.this.id && aws_lambda_function.this.role == aws_iam_role.this.arn
    error_message = "The policy and the function must be those of the role."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.stream) == 0 && length(aws_sqs_queue.failures) == 0 && output.failure_queue_url == null
    error_message = "Without a stream_trigger there must be nothing of one."
  }
  assert {
    condition     = length(aws_lambda_event_source_mapping.queue) == 0 && output.trigger_queue_arn == null && output.trigger_id == null
    error_message = "Without a queue_trigger there must be no event source mapping."
  }
  assert {
    condition = (
      length(aws_scheduler_schedule.this) == 0 && length(aws_iam_role.schedule) == 0 && length(aws_iam_role_policy.schedule) == 0 &&
      length(aws_lambda_function_event_invoke_config.schedule) == 0
    )
    error_message = "Without a schedule there must be nothing of one."
  }
  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 0
    error_message = "Lambda's own loop detection must stay on, unless the function sends to its own queue on purpose."
  }

  # R-Q5
  assert {
    condition = alltrue([
      for tags in [aws_lambda_function.this.tags, aws_iam_role.this.tags, aws_cloudwatch_log_group.this.tags] : tags == tomap(var.tags)
    ])
    error_message = "The function, its role and its log group must carry the tags."
  }

  # R-P5: every change is a version, and the alias moves to it.
  assert {
    condition = (
      aws_lambda_function.this.publish && aws_lambda_alias.live.name == "live" &&
      aws_lambda_alias.live.function_name == "worker-test" && aws_lambda_alias.live.function_version == "7"
    )
    error_message = "The function must publish its versions, and the alias live must point to the last one."
  }

  assert {
    condition = (
      output.name == "worker-test" && output.alias == "live" && output.arn == aws_lambda_alias.live.arn && output.invoke_arn == aws_lambda_alias.live.invoke_arn &&
      output.log_group_name == "/aws/lambda/worker-test" && output.role_arn == aws_iam_role.this.arn && output.role_policy == aws_iam_role_policy.this.policy
    )
    error_message = "The outputs must describe the function, its log group and its role."
  }
}

run "with_a_trigger" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:eu-west-1:123456789012:request-test"
      batch_size              = 10
      batching_window_seconds = 5
      maximum_concurrency     = 12
      enabled                 = true
    }
    sends_to_own_queue = true
    trigger_after      = ["arn:aws:appconfig:eu-west-1:123456789012:application/a/environment/e/deployment/1"]
  }

  # R-J3
  assert {
    condition = [
      for trigger in aws_lambda_event_source_mapping.queue :
      [trigger.event_source_arn, trigger.function_name, trigger.batch_size, trigger.maximum_batching_window_in_seconds]
    ] == [["arn:aws:sqs:eu-west-1:123456789012:request-test", aws_lambda_alias.live.arn, 10, 5]]
    error_message = "The queue must trigger the alias, with the given batch and window."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].enabled
    error_message = "The trigger must be on."
  }
  # What protects the model's quota.
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].scaling_config[0].maximum_concurrency == 12
    error_message = "The trigger must start at most the given number of functions."
  }

  # R-E1: after some 16 delayed copies Lambda would take a throttled job for a runaway loop, and stop.
  assert {
    condition     = [for config in aws_lambda_function_recursion_config.this : [config.function_name, config.recursive_loop]] == [["worker-test", "Allow"]]
    error_message = "A function that sends to its own queue must be allowed to."
  }

  # R-E2: without it one failed message brings the whole batch back.
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Only the failed messages of a batch may be retried."
  }

  # R-Q5
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].tags == tomap(var.tags)
    error_message = "The trigger must carry the tags."
  }
  assert {
    condition     = output.trigger_queue_arn == var.queue_trigger.queue_arn && output.trigger_id == aws_lambda_event_source_mapping.queue[0].uuid
    error_message = "The outputs must describe the trigger."
  }
}

# R-P3
run "from_s3_with_a_paused_trigger" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "processor-0a1b.zip", sha256 = "0a1b2c3d4e5f67", base64sha256 = "Chss" } }
    queue_trigger = {
      queue_arn               = "arn:aws:sqs:eu-west-1:123456789012:request-test"
      batch_size              = 100
      batching_window_seconds = 1
      maximum_concurrency     = 2
      enabled                 = false
    }
    reserved_concurrency     = 5
    role_path                = "/platform/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    log_retention_days       = 7
    statements               = []
  }

  assert {
    condition = (
      aws_lambda_function.this.s3_bucket == "artifacts" && aws_lambda_function.this.s3_key == "processor-0a1b.zip" &&
      aws_lambda_function.this.source_code_hash == "Chss" && aws_lambda_function.this.filename == null && output.build == "0a1b2c3d4e5f"
    )
    error_message = "The function must be made of the given S3 object, and change when its hash does."
  }
  assert {
    condition     = data.aws_s3_object.package[0].bucket == "artifacts" && data.aws_s3_object.package[0].key == "processor-0a1b.zip" && data.aws_s3_object.package[0].checksum_mode == "ENABLED"
    error_message = "The checksum must be read of the object that the function is made of; S3 returns it only if it is asked for."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].enabled == false
    error_message = "enabled = false must pause the trigger."
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 5
    error_message = "The given concurrency must be reserved."
  }
  assert {
    condition     = aws_iam_role.this.path == "/platform/" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The role must have the given path and permissions boundary."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 7
    error_message = "The log group must keep the given number of days."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["WriteOwnLogs", "WriteTraces"]
    error_message = "Without statements the function may write its logs and traces only."
  }
}

run "in_a_vpc" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    vpc = { subnet_ids = ["subnet-0a", "subnet-0b"], security_group_ids = ["sg-0c"] }
  }

  assert {
    condition = (
      aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-0a", "subnet-0b"]) &&
      aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-0c"])
    )
    error_message = "The function is not in the subnets, or not behind the security group, that were given."
  }
  # Lambda refuses to create the function without the first; the second keeps its code from using them.
  assert {
    condition = { for statement in jsondecode(output.role_policy).Statement : statement.Effect => try(statement.Condition, null) if contains(statement.Action, "ec2:CreateNetworkInterface") } == {
      Allow = null
      Deny  = { ArnEquals = { "lambda:SourceFunctionArn" = ["arn:aws:lambda:eu-west-1:123456789012:function:worker-test", "arn:aws:lambda:eu-west-1:123456789012:function:worker-test:*"] } }
    }
    error_message = "The role's policy is ${output.role_policy}."
  }
}

run "with_a_schedule" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    role_path                = "/platform/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    schedule = {
      name       = "worker-test"
      expression = "rate(5 minutes)"
      role_name  = "worker-schedule-test-eu-west-1"
      enabled    = true
    }
  }

  assert {
    condition = (
      aws_scheduler_schedule.this[0].name == "worker-test" &&
      aws_scheduler_schedule.this[0].schedule_expression == "rate(5 minutes)" &&
      aws_scheduler_schedule.this[0].state == "ENABLED" &&
      aws_scheduler_schedule.this[0].flexible_time_window[0].mode == "OFF" &&
      aws_scheduler_schedule.this[0].target[0].arn == "arn:aws:lambda:eu-west-1:123456789012:function:worker-test:live"
    )
    error_message = "The schedule does not run the function as it is told to."
  }
  # What failed is done by the next run; a retry would only run beside it.
  assert {
    condition = (
      aws_scheduler_schedule.this[0].target[0].retry_policy[0].maximum_retry_attempts == 0 &&
      aws_lambda_function_event_invoke_config.schedule[0].maximum_retry_attempts == 0 &&
      aws_lambda_function_event_invoke_config.schedule[0].function_name == "worker-test" && aws_lambda_function_event_invoke_config.schedule[0].qualifier == "live"
    )
    error_message = "A scheduled run must not be retried."
  }
  assert {
    condition = jsondecode(aws_iam_role.schedule[0].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "Only this account's schedules may assume the role: ${aws_iam_role.schedule[0].assume_role_policy}"
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement == [{
      Sid      = "RunFunction"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = ["arn:aws:lambda:eu-west-1:123456789012:function:worker-test:live"]
    }]
    error_message = "The schedule may do more than run its function: ${aws_iam_role_policy.schedule[0].policy}"
  }
  assert {
    condition = (
      aws_iam_role.schedule[0].name == "worker-schedule-test-eu-west-1" &&
      aws_iam_role.schedule[0].path == "/platform/" &&
      aws_iam_role.schedule[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" &&
      aws_iam_role.schedule[0].tags == tomap({ Environment = "test", Team = "jobs" })
    )
    error_message = "The schedule's role does not have the given name, path, boundary and tags."
  }
}

run "a_paused_schedule" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    schedule = { name = "s", expression = "rate(5 minutes)", role_name = "r", enabled = false }
  }

  assert {
    condition     = aws_scheduler_schedule.this[0].state == "DISABLED"
    error_message = "enabled = false does not pause the schedule."
  }
}

run "with_a_stream" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    stream_trigger = {
      stream_arn              = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs/stream/1"
      batch_size              = 100
      batching_window_seconds = 1
      parallelization_factor  = 4
      filter_patterns         = ["{\"eventName\":[\"INSERT\"]}"]
      failure_queue           = { name = "failures-test", message_retention_seconds = 1209600, receive_wait_time_seconds = 20, require_tls = true }
    }
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.stream[0].event_source_arn == var.stream_trigger.stream_arn &&
      aws_lambda_event_source_mapping.stream[0].function_name == aws_lambda_alias.live.arn &&
      aws_lambda_event_source_mapping.stream[0].batch_size == 100 &&
      aws_lambda_event_source_mapping.stream[0].maximum_batching_window_in_seconds == 1 &&
      aws_lambda_event_source_mapping.stream[0].parallelization_factor == 4 &&
      tolist([for filter in aws_lambda_event_source_mapping.stream[0].filter_criteria[0].filter : filter.pattern]) == var.stream_trigger.filter_patterns
    )
    error_message = "The stream must trigger the function, with the given batch, window, parallelization and filter."
  }
  # What was written before the first poll is no less worth than what comes after it.
  assert {
    condition     = aws_lambda_event_source_mapping.stream[0].starting_position == "TRIM_HORIZON"
    error_message = "Nothing between the creation of the table and the first poll may be lost."
  }
  # Below the 24 hours after which the stream forgets it, or what was not worked on would go without a word.
  assert {
    condition = (
      aws_lambda_event_source_mapping.stream[0].maximum_retry_attempts == -1 &&
      aws_lambda_event_source_mapping.stream[0].maximum_record_age_in_seconds == 82800 &&
      aws_lambda_event_source_mapping.stream[0].destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.failures[0].arn
    )
    error_message = "A record must be tried until it is nearly gone, and then be in the on-failure queue."
  }
  assert {
    condition = (
      aws_lambda_event_source_mapping.stream[0].function_response_types == toset(["ReportBatchItemFailures"]) &&
      aws_lambda_event_source_mapping.stream[0].bisect_batch_on_function_error
    )
    error_message = "A record that fails must not repeat those before it."
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if contains(["ReadStream", "FindStream", "GiveUpRecords"], statement.Sid)] == [
      {
        Sid      = "ReadStream"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        Resource = ["arn:aws:dynamodb:eu-west-1:123456789012:table/jobs/stream/1"]
      },
      {
        Sid      = "FindStream"
        Effect   = "Allow"
        Action   = ["dynamodb:ListStreams"]
        Resource = ["*"]
      },
      {
        Sid      = "GiveUpRecords"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = ["arn:aws:sqs:eu-west-1:123456789012:failures-test"]
      },
    ]
    error_message = "The role may not read the stream and send to the queue, or it may more: ${aws_iam_role_policy.this.policy}"
  }
  # R-Q6
  assert {
    condition = (
      aws_sqs_queue.failures[0].name == "failures-test" &&
      aws_sqs_queue.failures[0].message_retention_seconds == 1209600 &&
      aws_sqs_queue.failures[0].max_message_size == 262144 &&
      aws_sqs_queue.failures[0].sqs_managed_sse_enabled &&
      jsondecode(aws_sqs_queue.failures[0].policy).Statement == [{
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "arn:aws:sqs:eu-west-1:123456789012:failures-test"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    )
    error_message = "The on-failure queue must keep 14 days, be encrypted, and refuse plain HTTP."
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap({ TABLE_NAME = "jobs-test", AI_JOB_BUILD = output.build, AI_JOB_FAILURE_QUEUE_URL = "https://sqs/failures-test" })
    error_message = "The function must find its on-failure queue."
  }
  # R-Q5
  assert {
    condition     = aws_lambda_event_source_mapping.stream[0].tags == tomap(var.tags) && aws_sqs_queue.failures[0].tags == tomap(var.tags)
    error_message = "The trigger and the queue must carry the tags."
  }
  assert {
    condition = (
      output.failure_queue_name == "failures-test" && output.failure_queue_arn == aws_sqs_queue.failures[0].arn && output.failure_queue_url == "https://sqs/failures-test"
    )
    error_message = "The outputs must describe the on-failure queue."
  }
}

run "with_a_stream_and_a_customer_key" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    stream_trigger = {
      stream_arn              = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs/stream/1"
      batch_size              = 100
      batching_window_seconds = 1
      filter_patterns         = []
      failure_queue           = { name = "failures-test", message_retention_seconds = 1209600, receive_wait_time_seconds = 20, require_tls = false, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/0001" }
    }
  }

  # R-Q6
  assert {
    condition = (
      aws_sqs_queue.failures[0].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0001" &&
      aws_sqs_queue.failures[0].kms_data_key_reuse_period_seconds == 300 &&
      !can(jsondecode(aws_sqs_queue.failures[0].policy))
    )
    error_message = "The queue is without the customer key, or require_tls = false does not reach it."
  }
}

# R-P3
# R-P5: somebody has replaced the object.
run "another_object_than_the_manifest_says" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "processor-0a1b.zip", sha256 = "0a1b2c3d4e5f67", base64sha256 = "Chss" } }
  }

  override_data {
    target = data.aws_s3_object.package
    values = { checksum_sha256 = "AAAA" }
  }

  expect_failures = [aws_lambda_function.this]
}

# R-P5: nobody knows what is in it.
run "an_object_without_a_checksum" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "processor-0a1b.zip", sha256 = "0a1b2c3d4e5f67", base64sha256 = "Chss" } }
  }

  override_data {
    target = data.aws_s3_object.package
    values = { checksum_sha256 = "" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "both_packages_are_refused" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    package = { path = "fixtures/packages/processor.zip", s3 = { bucket = "artifacts", key = "processor.zip", sha256 = "0a", base64sha256 = "Cg==" } }
  }

  expect_failures = [var.package]
}

# R-P3
run "no_package_is_refused" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    package = {}
  }

  expect_failures = [var.package]
}

# The sums that AWS limits: what just fits, and one more.

run "an_environment_that_just_fits" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    # As JSON, beside the names, the punctuation and the build.
    environment_variables = { LONG = format("%${4067 - length(run.without_a_trigger.build)}s", "") }
  }

  assert {
    condition     = output.environment_bytes == 4096 && length(jsonencode(aws_lambda_function.this.environment[0].variables)) == 4096
    error_message = "The environment is not measured as Lambda does: ${output.environment_bytes} bytes."
  }
}

run "an_environment_that_does_not_fit" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    environment_variables = { LONG = format("%${4068 - length(run.without_a_trigger.build)}s", "") }
  }

  expect_failures = [aws_lambda_function.this]
}

# Each of them is short enough.
run "two_variables_that_do_not_fit_together" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    environment_variables          = { TYPES = format("%1900s", ""), PRICES = format("%2050s", "") }
    computed_environment_variables = { URL = "https://sqs/a" }
  }

  expect_failures = [aws_lambda_function.this]
}

# Lambda counts bytes: 2034 characters of two bytes each.
run "an_environment_of_few_but_long_characters" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    environment_variables = { LONG = join("", [for n in range(1017) : "éé"]) }
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_policy_that_just_fits" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    statements = [{ sid = "Call", actions = ["bedrock:InvokeModel"], resources = [format("%9733s", "")], resources_known = true }]
  }

  assert {
    condition     = output.policy_characters == 10240 && strcontains(aws_iam_role_policy.this.policy, var.statements[0].resources[0])
    error_message = "The policy takes ${output.policy_characters} characters: this is to be one that just fits."
  }
}

run "a_policy_that_does_not_fit" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    statements = [{ sid = "Call", actions = ["bedrock:InvokeModel"], resources = [format("%9734s", "")], resources_known = true }]
  }

  expect_failures = [aws_iam_role_policy.this]
}

run "many_short_resources_that_do_not_fit_together" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    statements = [for n in range(2) : { sid = "Call${n}", actions = ["bedrock:InvokeModel"], resources = [for m in range(30) : "arn:${n}-${m}"] }]
  }

  expect_failures = [aws_iam_role_policy.this]
}
