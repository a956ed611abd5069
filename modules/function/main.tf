locals {
  contract = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))

  package_is_local = var.package.path != null

  # Which code a function runs, for logs, outputs, and `ai-jobs doctor`. Not the release: a function whose zip is the same in two
  # releases is not deployed again. To destroy a function, its zip is not needed.
  sha256 = local.package_is_local ? try(filesha256(var.package.path), "missing") : var.package.s3.sha256
  build  = substr(local.sha256, 0, 12)

  # What every function needs on top of the caller's statements. logs:CreateLogGroup is omitted on purpose: the module owns the
  # group, with a retention, and a function that could create it would do so without one.
  base_statements = [
    {
      sid              = "WriteOwnLogs"
      actions          = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources        = ["${aws_cloudwatch_log_group.this.arn}:*"]
      conditions       = {}
      resources_known  = false
      conditions_known = true
    },
    {
      sid     = "WriteTraces"
      actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      # X-Ray does not support resource-level permissions.
      resources        = ["*"]
      conditions       = {}
      resources_known  = true
      conditions_known = true
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
          length(statement.conditions) == 0 ? {} : {
            Condition = {
              for operator, values in statement.conditions : operator => {
                for key, list in values : key => purpose == "measured" && !statement.conditions_known ? [for value in list : local.longest_arn] : list
              }
            }
          },
        )
      ], local.network_statements)
    })
  }

  known_variables    = merge({ AI_JOB_BUILD = local.build }, var.environment_variables)
  computed_variables = merge(local.stream_variables, var.computed_environment_variables)

  # AWS limits two totals: the size of a role's inline policies, and that of a function's environment. A value that only AWS knows
  # would leave them open until the apply, so the plan assumes the longest possible value.
  longest_arn = format("%160s", "")
  longest_url = format("%140s", "")

  policy_characters  = length(local.policies.measured)
  largest_statements = reverse(sort([for statement in local.statements : format("%5d resources in %s", length(statement.resources), statement.sid)]))

  # Lambda counts the bytes of the JSON.
  measured_variables = merge({ for name in keys(local.computed_variables) : name => local.longest_url }, local.known_variables)
  environment_bytes  = floor(length(replace(base64encode(jsonencode(local.measured_variables)), "=", "")) * 3 / 4)
  largest_variables  = reverse(sort([for name, value in local.measured_variables : format("%5d bytes in %s", length(jsonencode(value)), name)]))
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
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
    # The limit covers all inline policies of a role; this role has only one. Whitespace does not count.
    precondition {
      condition     = local.policy_characters <= 10240
      error_message = "The policy of ${var.role_name} would take up to ${local.policy_characters} characters, and IAM allows 10240 in a role's inline policies. The largest statements are ${join(", ", [for text in slice(local.largest_statements, 0, min(3, length(local.largest_statements))) : trimspace(text)])}. Reduce their resources."
    }
  }
}

# The object as it is now: its key can be written by others than `make publish`, and Lambda would run whatever is there. The checksum
# is S3's own, which it compares with the bytes when they are stored. An error of this read is the provider's, which shows the next
# line.
data "aws_s3_object" "package" { # not found or 403: run `make publish`, or correct packages.s3; 301: the bucket is in another region
  count = local.package_is_local ? 0 : 1

  bucket        = var.package.s3.bucket
  key           = var.package.s3.key
  checksum_mode = "ENABLED"
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116: it would hold events of asynchronous invocations only; the triggers are queues and a stream with DLQs of their own, and a scheduled run that failed is followed by the next one
  # checkov:skip=CKV_AWS_272: the zip is pinned by its hash; a signing profile would be the account's
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  runtime       = "python3.13"
  handler       = var.handler
  architectures = ["arm64"]

  filename = var.package.path
  # try(), because without the file the hash would fail first, and its message would not say how to get the file. The message of the
  # precondition below does.
  source_code_hash = local.package_is_local ? try(filebase64sha256(var.package.path), null) : var.package.s3.base64sha256

  s3_bucket = try(var.package.s3.bucket, null)
  s3_key    = try(var.package.s3.key, null)

  # Each change of the code or the configuration is a version that stays as it is, and the alias points to the newest one: an
  # operator can go back to any version immediately (docs/releases.md).
  publish = true

  layers = var.layers

  timeout                        = var.timeout_seconds
  memory_size                    = var.memory_mb
  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency

  # The environment at rest; null means Lambda's own key. What is in it is no secret: names, URLs, and limits.
  kms_key_arn = var.kms_key_arn

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
      condition     = local.package_is_local ? true : data.aws_s3_object.package[0].checksum_sha256 == var.package.s3.base64sha256
      error_message = "The zip of ${var.name}, s3://${try(var.package.s3.bucket, "-")}/${try(var.package.s3.key, "-")} (packages.s3), ${try(data.aws_s3_object.package[0].checksum_sha256, "") == "" ? "has no SHA-256 stored with it" : "has the SHA-256 ${try(data.aws_s3_object.package[0].checksum_sha256, "-")} (base64)"}, and the manifest says ${try(var.package.s3.base64sha256, "-")}. It was not uploaded by `make publish`: find out who wrote it, delete it, and run `make publish` again."
    }

    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment of ${var.name} would take up to ${local.environment_bytes} bytes, and Lambda allows 4096 for all names and values. The largest variables are ${join(", ", [for text in slice(local.largest_variables, 0, min(3, length(local.largest_variables))) : trimspace(text)])}. Shorten their values."
    }
  }

  # On creation, Lambda checks that the role has the permissions that the configuration requires.
  depends_on = [aws_iam_role_policy.this]
}

# What queues, the stream, the API, and the schedule invoke.
resource "aws_lambda_alias" "live" {
  name             = local.contract.bundles.alias
  description      = "The version that runs."
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

# Lambda tracks a message through the functions that pass it on. After about 16 rounds it assumes a runaway loop, dead-letters the
# message, and no longer invokes the function with it.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
resource "aws_lambda_function_recursion_config" "this" {
  count = var.sends_to_own_queue ? 1 : 0

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue_trigger == null ? 0 : 1

  event_source_arn = var.queue_trigger.queue_arn
  function_name    = aws_lambda_alias.live.arn
  enabled          = var.queue_trigger.enabled

  batch_size                         = var.queue_trigger.batch_size
  maximum_batching_window_in_seconds = var.queue_trigger.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  # This, not reserved concurrency, limits a queue's function: if reserved concurrency is lower than what the poller wants, Lambda
  # throttles, and messages whose receives are throttled end up in the DLQ.
  scaling_config {
    maximum_concurrency = var.queue_trigger.maximum_concurrency
  }

  tags = var.tags

  # Lambda rejects the mapping until sqs:ReceiveMessage is in effect. The last dependency is the caller's: whatever must exist before
  # the first message is processed.
  depends_on = [aws_iam_role_policy.this, aws_lambda_function_recursion_config.this, var.trigger_after]
}
