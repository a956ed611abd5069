# POST /jobs: validated by the gateway, then straight into the request queue. No compute in between,
# so a job is accepted as long as SQS is there.

locals {
  # Draft-04, the only draft that API Gateway knows. Patterns without backslashes and quotation marks
  # and no enums: what the validator finds wrong is quoted in the answer (gateway_responses.tf).
  # Some engines let $ match before a line break at the end; the lookahead does not.
  job_request_schema = jsonencode({
    "$schema"            = "http://json-schema.org/draft-04/schema#"
    title                = "JobRequest"
    description          = "A job to be queued. There is no jobId: it is the answer's."
    type                 = "object"
    required             = concat(keys(local.job_request_user), ["jobType", "input"])
    additionalProperties = false
    properties = merge(local.job_request_user, {
      jobType = {
        description = "Name of a configured job type. Whether it exists is checked by the worker."
        type        = "string"
        pattern     = "^[a-z0-9][a-z0-9-]{0,63}(?![^a-z0-9-])$"
      }
      input = {
        description = "Fields of the job, checked by the worker against the schema of the job type."
        type        = "object"
      }
      traceId = {
        description = "Trace of the caller, written to logs and to the job."
        type        = "string"
        pattern     = "^[A-Za-z0-9._:=;-]{1,256}(?![^A-Za-z0-9._:=;-])$"
      }
      deadlineSeconds = {
        description = "Seconds after which nobody wants the result any more."
        type        = "integer"
        minimum     = 1
        maximum     = 1209600
      }
    })
  })

  # Where callers bring tokens, userId is a field like any other that there is not.
  job_request_user = { for name in local.has_authorizer ? [] : ["userId"] : name => {
    description = "Who the job is for; jobs of one user do not hold up those of others."
    type        = "string"
    pattern     = "^[A-Za-z0-9._:@-]{1,128}(?![^A-Za-z0-9._:@-])$"
  } }

  # One line, and no newline at its end: white space would become part of a parameter. Every value is
  # encoded, so that nothing in a body can add or change a parameter of the call. No #if: what is
  # optional stays in the body. The user is in the attribute UserId, which every reader of the message takes before the
  # body's.
  post_jobs_request_template = chomp(templatefile("${path.module}/templates/post_jobs_request.vtl", {
    user = lookup(local.token_users, var.authorization, "$input.path('$.userId')")
  }))
  post_jobs_response_template = file("${path.module}/templates/post_jobs_response.vtl")

  # SQS's 400 stands for what a body does wrong and for most of what goes wrong on our side: throttling, the queue's KMS key,
  # a queue that is gone. The error's code tells them apart, and a code that is not known to be the caller's doing is ours.
  post_jobs_refused_template = templatefile("${path.module}/templates/post_jobs_refused.vtl", {
    refused     = local.error_bodies.message_refused
    unavailable = local.error_bodies.queue_unavailable
  })

  # Responses are chosen by SQS's status. The default (no pattern) is the success; with a default of 200 and no patterns an
  # error of SQS would be a success as well. 403 is a role or a policy of ours, or a throttle (RequestThrottled); SQS answers
  # 413, in plain text, to bodies far over its limit.
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

  # NEVER: a body of another content type has not been validated, and would reach SQS raw.
  passthrough_behavior = "NEVER"

  # The caller's Accept would go on to SQS, whose XML the response templates can't read.
  request_parameters = {
    "integration.request.header.Accept"       = "'application/json'"
    "integration.request.header.Content-Type" = "'application/x-www-form-urlencoded'"
  }
  request_templates = { "application/json" = local.post_jobs_request_template }

  # With a role that may not send yet, the first jobs get 503.
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

  # A replaced integration has lost its responses.
  lifecycle {
    replace_triggered_by = [aws_api_gateway_integration.post_jobs]
  }
}
