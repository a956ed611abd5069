locals {
  package_is_local = var.package.path != null

  # Which code a function runs, for logs, outputs and `ai-jobs doctor`: the release, and the first digits of the zip's SHA-256
  # (dist/manifest.json has all of them) or its object version. As in pyproject.toml.
  release = "0.1.0"
  zip     = local.package_is_local ? try(substr(filesha256(var.package.path), 0, 12), "missing") : coalesce(try(var.package.s3.version, null), "unversioned")
  build   = "${local.release}+${local.zip}"

  # What every function needs on top of the statements of the caller. logs:CreateLogGroup is left
  # out: the group is ours, with a retention; a function that could create it would do so without.
  base_statements = [
    {
      sid             = "WriteOwnLogs"
      actions         = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources       = ["${aws_cloudwatch_log_group.this.arn}:*"]
      conditions      = {}
      resources_known = false
    },
    {
      sid     = "WriteTraces"
      actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      # X-Ray knows no resource-level permissions.
      resources       = ["*"]
      conditions      = {}
      resources_known = true
    },
  ]

  statements = concat(local.base_statements, local.stream_statements, var.statements)

  policies = {
    for purpose in ["granted", "measured"] : purpose => jsonencode({
      Version = "2012-10-17"
      Statement = concat([
        for statement in local.statements : merge(
          {
            Sid      = statement.sid
            Effect   = "Allow"
            Action   = statement.actions
            Resource = purpose == "measured" && !statement.resources_known ? [for arn in statement.resources : local.longest_arn] : statement.resources
          },
          length(statement.conditions) == 0 ? {} : { Condition = statement.conditions },
        )
      ], local.network_statements)
    })
  }

  known_variables    = merge({ AI_JOB_BUILD = local.build }, var.environment_variables)
  computed_variables = merge(local.stream_variables, var.computed_environment_variables)

  # AWS limits two sums: a role's inline policies, and a function's environment. A value that only AWS knows would leave them
  # open until the apply, so the plan measures with the longest that it can be.
  longest_arn = format("%160s", "")
  longest_url = format("%140s", "")

  policy_characters  = length(local.policies.measured)
  largest_statements = reverse(sort([for statement in local.statements : format("%5d resources in %s", length(statement.resources), statement.sid)]))

  # Lambda measures the JSON, in bytes.
  measured_variables = merge({ for name in keys(local.computed_variables) : name => local.longest_url }, local.known_variables)
  environment_bytes  = floor(length(replace(base64encode(jsonencode(local.measured_variables)), "=", "")) * 3 / 4)
  largest_variables  = reverse(sort([for name, value in local.measured_variables : format("%5d bytes in %s", length(jsonencode(value)), name)]))
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Execution role of the function ${var.name}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "this" {
  name = "function"
  role = aws_iam_role.this.id

  policy = local.policies.granted

  lifecycle {
    # All inline policies of a role together; the role has no other. White space does not count.
    precondition {
      condition     = local.policy_characters <= 10240
      error_message = "The policy of ${var.role_name} would take up to ${local.policy_characters} characters: IAM allows 10240 in a role's inline policies. Most of them are ${join(", ", [for text in slice(local.largest_statements, 0, min(3, length(local.largest_statements))) : trimspace(text)])}. Give them fewer resources."
    }
  }
}

resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  runtime       = "python3.13"
  handler       = var.handler
  architectures = ["arm64"]

  filename = var.package.path
  # try(), because without the file the hash would fail first, and its message says nothing about
  # how to get the file. The precondition below does.
  source_code_hash = local.package_is_local ? try(filebase64sha256(var.package.path), null) : null

  s3_bucket         = try(var.package.s3.bucket, null)
  s3_key            = try(var.package.s3.key, null)
  s3_object_version = try(var.package.s3.version, null)

  timeout                        = var.timeout_seconds
  memory_size                    = var.memory_mb
  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency

  environment {
    variables = merge(local.computed_variables, local.known_variables)
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = !local.package_is_local || try(fileexists(var.package.path), false)
      error_message = "The zip of ${var.name} is missing: ${coalesce(var.package.path, "-")} does not exist. Run `make package` first, or give the packages by S3."
    }

    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment of ${var.name} would take up to ${local.environment_bytes} bytes: Lambda allows 4096 for all names and values. Most of them are ${join(", ", [for text in slice(local.largest_variables, 0, min(3, length(local.largest_variables))) : trimspace(text)])}. Shorten what these hold."
    }
  }

  # Lambda checks on creation that the role may do what the configuration asks for.
  depends_on = [aws_iam_role_policy.this]
}

# Lambda follows a message through the functions that pass it on, and after some 16 rounds takes it for
# a runaway loop: it dead-letters the message and stops the function from being invoked with it.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
resource "aws_lambda_function_recursion_config" "this" {
  count = var.sends_to_own_queue ? 1 : 0

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue_trigger == null ? 0 : 1

  event_source_arn = var.queue_trigger.queue_arn
  function_name    = aws_lambda_function.this.arn
  enabled          = var.queue_trigger.enabled

  batch_size                         = var.queue_trigger.batch_size
  maximum_batching_window_in_seconds = var.queue_trigger.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  # This, not reserved concurrency, is what limits a queue's function: reserved concurrency below
  # what the poller wants makes Lambda throttle, and throttled receives end in the DLQ.
  scaling_config {
    maximum_concurrency = var.queue_trigger.maximum_concurrency
  }

  tags = var.tags

  # Without sqs:ReceiveMessage in force Lambda refuses the mapping. The second dependency is the
  # caller's: whatever has to be there before the first message is worked on.
  depends_on = [aws_iam_role_policy.this, aws_lambda_function_recursion_config.this, var.trigger_after]
}
