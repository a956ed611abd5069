locals {
  # A deployment is a snapshot, and is replaced only when its triggers change. The hash covers the values that reach the API's methods
  # and responses from outside, what is computed from them, and the files that define the rest: a method or a response can't be added
  # or changed without changing one of them. It covers values rather than whole resources, because values are known at plan time, and
  # the provider's own attributes may change from one plan to the next without any change to the API.
  api_shape = {
    authorization     = [var.authorization, local.authorizer_id, local.authorization_scopes]
    authorizer        = lookup(local.authorizer, var.authorization, null)
    api_key_required  = local.api_key_required
    resource_policy   = local.resource_policy
    request_queue_uri = local.request_queue_uri
    jobs_function_arn = var.jobs_function.invoke_arn
    role_arn          = aws_iam_role.post_jobs.arn
    model             = local.job_request_schema
    request_template  = local.post_jobs_request_template
    post_responses    = local.post_jobs_responses
    error_bodies      = local.error_bodies
    gateway_responses = [local.gateway_responses, local.gateway_response_templates]
    cors              = [local.cors_headers, local.cors_static_headers, local.preflight_headers, local.cors_template]
    sources = {
      for name in ["main.tf", "authorizer.tf", "post_jobs.tf", "function_methods.tf", "method_not_allowed.tf", "cors.tf", "gateway_responses.tf"] :
      name => filesha1("${path.module}/${name}")
    }
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  triggers = {
    redeployment = sha1(jsonencode(local.api_shape))
  }

  # The stage points to the old deployment until the new one exists.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [
    aws_api_gateway_integration.post_jobs,
    aws_api_gateway_integration_response.post_jobs,
    aws_api_gateway_integration.function,
    aws_api_gateway_integration.not_allowed,
    aws_api_gateway_integration_response.not_allowed,
    aws_api_gateway_integration_response.preflight,
    aws_api_gateway_gateway_response.this,
    aws_api_gateway_rest_api_policy.this,
    # Otherwise, the first calls would reach a queue, a function, or an authorizer that the gateway may not use yet. (The queue is
    # created together with its policy.)
    aws_iam_role_policy.post_jobs,
    aws_lambda_permission.function,
    aws_lambda_permission.authorizer,
  ]
}

resource "aws_cloudwatch_log_group" "access" {
  count = var.access_logs ? 1 : 0

  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_api_gateway_stage" "this" {
  # checkov:skip=CKV_AWS_120: a response belongs to one caller, and the next one may be different; nothing here can be cached
  # checkov:skip=CKV2_AWS_4: execution logs contain whole bodies; what may be logged is in the access log (access_logs)
  # checkov:skip=CKV2_AWS_51: a client certificate is for HTTP backends; SQS and Lambda know the gateway by its role and its ARN
  # checkov:skip=CKV2_AWS_77: the web ACL and its rules are the caller's (waf)
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = var.stage_name
  xray_tracing_enabled = true

  # Only on request, because it fails in an account without a logging role (aws_api_gateway_account). There is one such role per
  # account and region, so a module must not set it behind the account owner's back.
  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access

    content {
      destination_arn = access_log_settings.value.arn
      # No error message, because a validation error repeats parts of the body.
      format = jsonencode({
        requestId          = "$context.requestId"
        extendedRequestId  = "$context.extendedRequestId"
        xrayTraceId        = "$context.xrayTraceId"
        requestTime        = "$context.requestTime"
        sourceIp           = "$context.identity.sourceIp"
        callerArn          = "$context.identity.userArn"
        httpMethod         = "$context.httpMethod"
        path               = "$context.path"
        status             = "$context.status"
        errorType          = "$context.error.responseType"
        integrationStatus  = "$context.integration.status"
        integrationLatency = "$context.integration.latency"
        responseLatency    = "$context.responseLatency"
        responseLength     = "$context.responseLength"
      })
    }
  }

  tags = var.tags
}

resource "aws_api_gateway_method_settings" "all" {
  # checkov:skip=CKV_AWS_225: as for the stage, nothing can be cached
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  # Execution logs stay off: they contain whole bodies, and need the account's logging role too.
  settings {
    throttling_rate_limit  = var.throttling_rate_limit
    throttling_burst_limit = var.throttling_burst_limit
  }
}

# POST /jobs is the only route without a function that could report its failures, and among many reads a few rejected jobs do not
# add up to a percentage. So the gateway counts this route separately, for the alarm post-errors. Settings for one method replace the
# settings for all.
resource "aws_api_gateway_method_settings" "post_jobs" {
  # checkov:skip=CKV_AWS_225: as for the stage, nothing can be cached
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "jobs/POST"

  settings {
    metrics_enabled        = true
    throttling_rate_limit  = var.throttling_rate_limit
    throttling_burst_limit = var.throttling_burst_limit
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.waf == null ? 0 : 1

  resource_arn = aws_api_gateway_stage.this.arn
  web_acl_arn  = var.waf.web_acl_arn
}
