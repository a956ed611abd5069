# The routes that a function answers: it validates the requests, and builds the responses itself.

locals {
  function_methods = {
    list_jobs     = { http_method = "GET", resource = "jobs", operation_name = "ListJobs" }
    put_job       = { http_method = "PUT", resource = "job", operation_name = "PutJob" }
    get_job       = { http_method = "GET", resource = "job", operation_name = "GetJob" }
    cancel_job    = { http_method = "DELETE", resource = "job", operation_name = "CancelJob" }
    create_upload = { http_method = "POST", resource = "uploads", operation_name = "CreateUpload" }
  }

  resources = {
    jobs    = { id = aws_api_gateway_resource.jobs.id, path = "/jobs" }
    job     = { id = aws_api_gateway_resource.job.id, path = "/jobs/*" }
    uploads = { id = aws_api_gateway_resource.uploads.id, path = "/uploads" }
  }
}

resource "aws_api_gateway_method" "function" {
  # checkov:skip=CKV2_AWS_53: the function validates the request, and its error names the field, which the gateway's can't
  for_each = local.function_methods

  rest_api_id    = aws_api_gateway_rest_api.this.id
  resource_id    = local.resources[each.value.resource].id
  http_method    = each.value.http_method
  operation_name = each.value.operation_name

  authorization        = var.authorization
  authorizer_id        = local.authorizer_id
  authorization_scopes = local.authorization_scopes
  api_key_required     = local.api_key_required
}

resource "aws_api_gateway_integration" "function" {
  for_each = local.function_methods

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = local.resources[each.value.resource].id
  http_method             = aws_api_gateway_method.function[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.jobs_function.invoke_arn
}

resource "aws_lambda_permission" "function" {
  for_each = local.function_methods

  # With the API's id, because the deployment waits for the permission. A new deployment is created before the old one is deleted, and
  # so is the permission.
  statement_id  = "Allow${each.value.operation_name}-${aws_api_gateway_rest_api.this.id}"
  action        = "lambda:InvokeFunction"
  function_name = var.jobs_function.name
  qualifier     = var.jobs_function.alias
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/*/${each.value.http_method}${local.resources[each.value.resource].path}"
}

# GET /jobs/{jobId} existed before the others.
moved {
  from = aws_api_gateway_method.get_job
  to   = aws_api_gateway_method.function["get_job"]
}

moved {
  from = aws_api_gateway_integration.get_job
  to   = aws_api_gateway_integration.function["get_job"]
}

moved {
  from = aws_lambda_permission.get_job
  to   = aws_lambda_permission.function["get_job"]
}
