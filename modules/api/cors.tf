# Access for pages in browsers. The preflight before every request with a token or a JSON body admits an origin; browsers hide the
# responses to one origin from the pages of another. Credentials that a browser sends by itself (cookies, not tokens) are never
# allowed.

locals {
  cors_origins = var.cors == null ? [] : var.cors.allow_origins

  # The header names one origin, or "*". With several origins, a mapping template picks the caller's; for an origin that is not in the
  # list it returns the first one, which the caller's browser rejects.
  cors_picks_origin = length(local.cors_origins) > 1
  cors_template = !local.cors_picks_origin ? "" : templatefile("${path.module}/templates/cors_origin.vtl", {
    origins = jsonencode(local.cors_origins)
    first   = local.cors_origins[0]
  })

  # What a page may read of a response besides its body. functions/jobs_api/cors.py has the same list.
  cors_exposed_headers = "ETag, Location, Retry-After, x-amzn-RequestId"

  # What a page may send. If-None-Match goes with an ETag; the X-Amz headers belong to a signature.
  cors_allowed_headers = join(", ", distinct(concat(
    ["Authorization", "Content-Type", "If-None-Match", "X-Api-Key"],
    ["X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-User-Agent"],
    [for source in split(",", try(var.lambda_authorizer.identity_source, "")) : trimprefix(trimspace(source), "method.request.header.") if source != ""],
  )))

  # For responses whose template can pick an origin.
  cors_headers = { for name, value in {
    Access-Control-Allow-Origin   = try(local.cors_origins[0], null)
    Access-Control-Expose-Headers = local.cors_exposed_headers
    Vary                          = local.cors_picks_origin ? "Origin" : null
  } : name => value if var.cors != null && value != null }

  # For the gateway's own responses, whose templates can't pick one. They contain nothing about anybody's job, only static texts and
  # what is wrong with the caller's own request.
  cors_static_headers = { for name, value in {
    Access-Control-Allow-Origin   = local.cors_picks_origin ? "*" : try(local.cors_origins[0], null)
    Access-Control-Expose-Headers = local.cors_exposed_headers
  } : name => value if var.cors != null }

  preflight_headers = { for key, resource in local.method_not_allowed : key => merge(
    { for name, value in local.cors_headers : name => value if name != "Access-Control-Expose-Headers" },
    {
      Access-Control-Allow-Methods = join(", ", resource.methods)
      Access-Control-Allow-Headers = local.cors_allowed_headers
      Access-Control-Max-Age       = tostring(try(var.cors.max_age_seconds, 0))
    },
  ) if var.cors != null }
}

# No authorization and no API key, on purpose: a browser sends neither with a preflight.
resource "aws_api_gateway_method" "preflight" {
  # checkov:skip=CKV2_AWS_53: a preflight has no body, and its answer does not depend on it
  for_each = local.preflight_headers

  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = local.method_not_allowed[each.key].resource_id
  http_method   = "OPTIONS"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "preflight" {
  for_each = local.preflight_headers

  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = local.method_not_allowed[each.key].resource_id
  http_method          = aws_api_gateway_method.preflight[each.key].http_method
  type                 = "MOCK"
  passthrough_behavior = "NEVER"
  request_templates    = { "application/json" = jsonencode({ statusCode = 200 }) }

  # As for the 405s in method_not_allowed.tf.
  lifecycle {
    ignore_changes = [integration_http_method]
  }
}

resource "aws_api_gateway_method_response" "preflight" {
  for_each = local.preflight_headers

  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = local.method_not_allowed[each.key].resource_id
  http_method         = aws_api_gateway_method.preflight[each.key].http_method
  status_code         = "200"
  response_models     = { "application/json" = "Empty" }
  response_parameters = { for name in keys(each.value) : "method.response.header.${name}" => true }
}

resource "aws_api_gateway_integration_response" "preflight" {
  for_each = local.preflight_headers

  rest_api_id         = aws_api_gateway_rest_api.this.id
  resource_id         = local.method_not_allowed[each.key].resource_id
  http_method         = aws_api_gateway_method.preflight[each.key].http_method
  status_code         = aws_api_gateway_method_response.preflight[each.key].status_code
  response_parameters = { for name, value in each.value : "method.response.header.${name}" => "'${value}'" }
  response_templates  = { "application/json" = local.cors_template }

  # A replaced integration loses its responses.
  lifecycle {
    replace_triggered_by = [aws_api_gateway_integration.preflight[each.key]]
  }
}
