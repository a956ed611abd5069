data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  too_large = "The request is too large: POST /jobs accepts at most 256 KiB, and PUT /jobs/{jobId} at most 4,000,000 bytes."

  # Static error bodies, all of the same shape: {"error": {"code", "message"}}.
  error_bodies = {
    message_refused = jsonencode({ error = {
      code    = "MESSAGE_REFUSED"
      message = "The queue refused the job: the body may have at most 256 KiB, and no characters but those of XML 1.0 (no U+FFFE, U+FFFF or lone surrogates)."
    } })
    queue_unavailable = jsonencode({ error = {
      code    = "QUEUE_UNAVAILABLE"
      message = "The queue did not take the job because of a fault on our side. Try again."
    } })
    request_too_large = jsonencode({ error = { code = "REQUEST_TOO_LARGE", message = local.too_large } })
    method_not_allowed = jsonencode({ error = {
      code    = "METHOD_NOT_ALLOWED"
      message = "There is no such method here: use POST or GET on /jobs, PUT, GET or DELETE on /jobs/{jobId}, and POST on /uploads."
    } })
  }
}

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = "Submits AI jobs and returns their results."

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # AWS expands the short form when it stores a policy, and the difference would show up in every plan.
  resource_policy = try(replace(var.resource_policy.json, "execute-api:/", "${aws_api_gateway_rest_api.this.execution_arn}/"), null)
}

# Not the API's own argument, which leaves the policy in place when it is removed from the configuration.
resource "aws_api_gateway_rest_api_policy" "this" {
  count = var.resource_policy == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this.id
  policy      = local.resource_policy
}

resource "aws_api_gateway_resource" "jobs" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "jobs"
}

resource "aws_api_gateway_resource" "job" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.jobs.id
  path_part   = "{jobId}"
}

resource "aws_api_gateway_resource" "uploads" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "uploads"
}
