# POST /jobs: the gateway validates the body, and sends it straight to the request queue. There is no compute in between, so a job
# is accepted as long as SQS is up.

locals {
  contract = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))

  # Some engines let $ match before a trailing line break; the lookahead, for anything but the pattern's last characters, does not.
  text_patterns = { for name in ["job_type", "trace_id", "user_id"] : name => join("", [
    "^", local.contract.patterns[name], "(?![^", regex("\\[([^\\]]+)\\]\\{", local.contract.patterns[name])[0], "])$",
  ]) }

  # Draft-04, the only draft that API Gateway supports. No enums, and no backslashes or quotation marks in patterns, because the
  # response quotes what the validator finds wrong (gateway_responses.tf).
  job_request_schema = jsonencode({
    "$schema"            = "http://json-schema.org/draft-04/schema#"
    title                = "JobRequest"
    description          = "A job to be queued. It has no jobId: the response contains the id."
    type                 = "object"
    required             = concat(keys(local.job_request_user), ["jobType", "input"])
    additionalProperties = false
    properties = merge(local.job_request_user, {
      jobType = {
        description = "Name of a configured job type. The worker checks whether it exists."
        type        = "string"
        pattern     = local.text_patterns.job_type
      }
      input = {
        description = "Fields of the job. The worker validates them against the schema of the job type."
        type        = "object"
      }
      traceId = {
        description = "The caller's trace id, written to logs and to the job."
        type        = "string"
        pattern     = local.text_patterns.trace_id
      }
      deadlineSeconds = {
        description = "Seconds after which nobody wants the result anymore."
        type        = "integer"
        minimum     = local.contract.limits.deadline_seconds.min
        maximum     = local.contract.limits.deadline_seconds.max
      }
      attachments = {
        description = "The job's files. The worker checks them."
        type        = "array"
        maxItems    = local.contract.limits.attachment_count.max
        items       = { type = "object" }
      }
    })
  })

  # In the token modes, userId is an unknown field like any other.
  job_request_user = { for name in local.has_authorizer ? [] : ["userId"] : name => {
    description = "Who the job is for; the jobs of one user do not hold up those of others."
    type        = "string"
    pattern     = local.text_patterns.user_id
  } }

  # One line, without a trailing newline: whitespace would become part of a parameter. Every value is encoded, so that nothing in a
  # body can add or change a parameter of the call. No #if: optional fields stay in the body. The user is in the attribute UserId,
  # which every reader of the message prefers to the body's userId.
  post_jobs_request_template = chomp(templatefile("${path.module}/templates/post_jobs_request.vtl", {
    user = lookup(local.token_users, var.authorization, "$input.path('$.userId')")
  }))
  post_jobs_response_template = file("${path.module}/templates/post_jobs_response.vtl")

  # SQS answers 400 for invalid bodies, but also for most faults on our side: throttling, the queue's KMS key, a deleted queue. The
  # error's code tells them apart; a code that is not known to be the caller's fault counts as ours.
  post_jobs_refused_template = templatefile("${path.module}/templates/post_jobs_refused.vtl", {
    refused     = local.error_bodies.message_refused
    unavailable = local.error_bodies.queue_unavailable
  })

  # SQS's status selects the response. The default (no pattern) is success; with a default of 200 and no other patterns, an SQS error
  # would count as a success too. A 403 comes from a role or policy of ours, or from throttling (RequestThrottled). For bodies far over
  # its limit, SQS answers 413 in plain text.
  post_jobs_responses = { for status, response in {
    202 = { selection_pattern = null, template = local.post_jobs_response_template }
    400 = { selection_pattern = "400", template = local.post_jobs_refused_template }
    413 = { selection_pattern = "413", template = local.error_bodies.request_too_large }
    503 = { selection_pattern = "40[1-9]|41[0-24-9]|4[2-9]\\d|5\\d{2}", template = local.error_bodies.queue_unavailable }
  } : status => merge(response, { template = "${local.cors_template}${response.template}" }) }

  request_queue_uri = join("", [
    "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.id}:sqs:path/",
    "${data.aws_caller_identity.current.account_id}/${var.request_queue.name}",
  ])
}

resource "aws_iam_role" "post_jobs" {
  name                 = var.role_name
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Lets POST /jobs of the API ${var.name} send to the request queue."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "post_jobs" {
  name = "send-to-request-queue"
  role = aws_iam_role.post_jobs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "SendJobs"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [var.request_queue.arn]
      }],
      var.kms_key_arn == null ? [] : [{
        Sid      = "UseQueueKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      }],
    )
  })
}

resource "aws_api_gateway_model" "job_request" {
  rest_api_id  = aws_api_gateway_rest_api.this.id
  name         = "JobRequest"
  description  = "Body of POST /jobs."
  content_type = "application/json"
  schema       = local.job_request_schema
}

resource "aws_api_gateway_request_validator" "body" {
  rest_api_id                 = aws_api_gateway_rest_api.this.id
  name                        = "body"
  validate_request_body       = true
  validate_request_parameters = false
}

resource "aws_api_gateway_method" "post_jobs" {
  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = aws_api_gateway_resource.jobs.id
  http_method          = "POST"
  operation_name       = "SubmitJob"
  authorization        = var.authorization
  authorizer_id        = local.authorizer_id
  authorization_scopes = local.authorization_scopes
  api_key_required     = local.api_key_required
  request_validator_id = aws_api_gateway_request_validator.body.id
  request_models       = { "application/json" = aws_api_gateway_model.job_request.name }
}

resource "aws_api_gateway_integration" "post_jobs" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.jobs.id
  http_method             = aws_api_gateway_method.post_jobs.http_method
  type                    = "AWS"
  integration_http_method = "POST"
  uri                     = local.request_queue_uri
  credentials             = aws_iam_role.post_jobs.arn

  # NEVER, because a body of another content type is not validated, and would reach SQS raw.
  passthrough_behavior = "NEVER"

  # Otherwise the caller's Accept header would reach SQS, and the response templates can't read XML.
  request_parameters = {
    "integration.request.header.Accept"       = "'application/json'"
    "integration.request.header.Content-Type" = "'application/x-www-form-urlencoded'"
  }
  request_templates = { "application/json" = local.post_jobs_request_template }

  # Until the role is allowed to send, jobs would get a 503.
  depends_on = [aws_iam_role_policy.post_jobs]
}

resource "aws_api_gateway_method_response" "post_jobs" {
  for_each = local.post_jobs_responses

  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = aws_api_gateway_resource.jobs.id
  http_method         = aws_api_gateway_method.post_jobs.http_method
  status_code         = each.key
  response_models     = { "application/json" = "Empty" }
  response_parameters = { for name in concat(keys(local.cors_headers), each.key == "202" ? ["Location"] : []) : "method.response.header.${name}" => true }
}

resource "aws_api_gateway_integration_response" "post_jobs" {
  for_each = local.post_jobs_responses

  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = aws_api_gateway_resource.jobs.id
  http_method         = aws_api_gateway_method.post_jobs.http_method
  status_code         = aws_api_gateway_method_response.post_jobs[each.key].status_code
  selection_pattern   = each.value.selection_pattern
  response_parameters = { for name, value in local.cors_headers : "method.response.header.${name}" => "'${value}'" }
  response_templates  = { "application/json" = each.value.template }

  # A replaced integration loses its responses.
  lifecycle {
    replace_triggered_by = [aws_api_gateway_integration.post_jobs]
  }
}
