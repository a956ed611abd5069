# Without these, an unknown method would get a 403 "Missing Authentication Token", which makes people check their credentials.

locals {
  method_not_allowed = {
    root    = { resource_id = aws_api_gateway_rest_api.this.root_resource_id, methods = local.preflight_methods }
    jobs    = { resource_id = aws_api_gateway_resource.jobs.id, methods = concat(["GET"], local.preflight_methods, ["POST"]) }
    job     = { resource_id = aws_api_gateway_resource.job.id, methods = concat(["DELETE", "GET"], local.preflight_methods, ["PUT"]) }
    uploads = { resource_id = aws_api_gateway_resource.uploads.id, methods = concat(local.preflight_methods, ["POST"]) }
  }
  preflight_methods = var.cors == null ? [] : ["OPTIONS"]

  method_not_allowed_headers = { for key, resource in local.method_not_allowed : key => merge(
    { for name in ["Allow"] : name => join(", ", resource.methods) if length(resource.methods) > 0 },
    local.cors_static_headers,
  ) }

  # A mock takes its status from its request template, which the content type selects: a body of a type that is not listed gets a
  # 415. WHEN_NO_MATCH would read the status from the caller's body.
  method_not_allowed_content_types = [
    "application/json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
  ]
}

# No authorization, on purpose: there is nothing behind these methods, and a role that may call only PUT and GET would get a 403
# instead of the explanation.
resource "aws_api_gateway_method" "not_allowed" {
  # checkov:skip=CKV2_AWS_53: the answer is a 405, whatever the request is
  # checkov:skip=CKV_AWS_59: nothing is behind it: a mock answers with a 405
  for_each = local.method_not_allowed

  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = each.value.resource_id
  http_method   = "ANY"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "not_allowed" {
  for_each = local.method_not_allowed

  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = each.value.resource_id
  http_method          = aws_api_gateway_method.not_allowed[each.key].http_method
  type                 = "MOCK"
  passthrough_behavior = "NEVER"
  request_templates = {
    for content_type in local.method_not_allowed_content_types : content_type => jsonencode({ statusCode = 405 })
  }

  # An integration inherits create_before_destroy from the deployment that depends on it, and has no identity besides its method: a
  # replacement overwrites the old one, and is then deleted with it. So an attribute that means nothing to a mock must not be able to
  # cause a replacement.
  lifecycle {
    ignore_changes = [integration_http_method]
  }
}

resource "aws_api_gateway_method_response" "not_allowed" {
  for_each = local.method_not_allowed

  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = each.value.resource_id
  http_method         = aws_api_gateway_method.not_allowed[each.key].http_method
  status_code         = "405"
  response_models     = { "application/json" = "Empty" }
  response_parameters = { for name in keys(local.method_not_allowed_headers[each.key]) : "method.response.header.${name}" => true }
}

resource "aws_api_gateway_integration_response" "not_allowed" {
  for_each = local.method_not_allowed

  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = each.value.resource_id
  http_method         = aws_api_gateway_method.not_allowed[each.key].http_method
  status_code         = aws_api_gateway_method_response.not_allowed[each.key].status_code
  response_parameters = { for name, value in local.method_not_allowed_headers[each.key] : "method.response.header.${name}" => "'${value}'" }
  response_templates  = { "application/json" = local.error_bodies.method_not_allowed }

  # A replaced integration loses its responses.
  lifecycle {
    replace_triggered_by = [aws_api_gateway_integration.not_allowed[each.key]]
  }
}
