# The gateway's own responses, in the same shape as every other error. These templates support no VTL, only $context values.
#
# $context.error.messageString is a JSON string that includes its quotation marks (and the only value that can be null), so it is
# inserted as is. $context.error.validationErrorString comes without them, and its text is full of them:
# [object has missing required properties (["userId"])]. Inside quotation marks, the gateway escapes them: raw responses of live
# gateways, printed by curl in public repositories, show \" in that place (aws-samples/serverless-patterns,
# apigw-eventbridge-schema-validation). Without quotation marks, as in some templates, the list of messages only looks like JSON, and
# breaks every client. The model adds to the caution: it has no enums, and neither quotation marks nor backslashes in its patterns, so
# a message repeats little that needs escaping.

locals {
  context_message = "$context.error.messageString"

  # AWS's own messages about credentials are about its own format ("Authorization header requires 'Credential' parameter"), or about
  # the internals of a signature. They never say that a token is out of place, or which permission is missing.
  sign = "sign it with SigV4 for the service execute-api, in the region of the API"
  credentials_messages = {
    ACCESS_DENIED = lookup({
      AWS_IAM = "The signature is valid, but its principal is not allowed to make this call. Its IAM policy must allow execute-api:Invoke on this method and path, and the API's resource policy, if there is one, must not deny it. Ask whoever runs the API for access."
      CUSTOM  = "The API's authorizer or its resource policy does not allow this caller to make this call. Ask whoever runs the API for access."
    }, var.authorization, "The API's resource policy does not allow this call. Ask whoever runs the API whether calls from here should be allowed.")
    INVALID_SIGNATURE = "The signature does not match the request. Sign exactly what you send (method, path, query sorted by name, headers, body), with a clock that is accurate to five minutes. Check both, and ${local.sign}."
    EXPIRED_TOKEN     = "The temporary credentials of the request have expired; get new ones, and sign the request again."
    DEFAULT_4XX = (
      var.authorization == "AWS_IAM"
      ? "The request's credentials are unknown. This API accepts signed requests, not tokens (Authorization: Bearer): ${local.sign}, with AWS credentials that are currently valid."
      : "The gateway rejected the request before it reached the service. Check its path, headers, and credentials."
    )
  }

  # message is JSON: a quoted string, or a context value that already is one.
  gateway_responses = {
    BAD_REQUEST_BODY = {
      status  = "400", code = "BAD_REQUEST"
      message = jsonencode("The request body is not a valid job: $context.error.validationErrorString")
    }
    BAD_REQUEST_PARAMETERS = {
      status = "400", code = "BAD_REQUEST", message = local.context_message
    }
    UNSUPPORTED_MEDIA_TYPE = {
      status  = "415", code = "UNSUPPORTED_MEDIA_TYPE"
      message = jsonencode("The body must be JSON, sent with the header Content-Type: application/json.")
    }
    REQUEST_TOO_LARGE = {
      status  = "413", code = "REQUEST_TOO_LARGE"
      message = jsonencode(local.too_large)
    }
    UNAUTHORIZED = {
      status  = "401", code = "UNAUTHORIZED"
      message = jsonencode("The request has no token, or its token has expired or is not valid here.")
    }
    ACCESS_DENIED = {
      status = "403", code = "FORBIDDEN", message = jsonencode(local.credentials_messages.ACCESS_DENIED)
    }
    MISSING_AUTHENTICATION_TOKEN = {
      status = "403", code = "FORBIDDEN"
      message = jsonencode(join("", [
        var.authorization == "AWS_IAM" ? "The request is not signed, or there is nothing at this path: ${local.sign}, and use" : "There is nothing at this path: use",
        " /jobs or /jobs/{jobId}.",
      ]))
    }
    INVALID_SIGNATURE = {
      status = "403", code = "FORBIDDEN", message = jsonencode(local.credentials_messages.INVALID_SIGNATURE)
    }
    EXPIRED_TOKEN = {
      status = "403", code = "FORBIDDEN", message = jsonencode(local.credentials_messages.EXPIRED_TOKEN)
    }
    INVALID_API_KEY = {
      status = "403", code = "FORBIDDEN", message = jsonencode("The API key is missing or not valid. Send a valid one in the header x-api-key.")
    }
    WAF_FILTERED = {
      status = "403", code = "FORBIDDEN", message = jsonencode("The request was blocked by the firewall (AWS WAF).")
    }
    RESOURCE_NOT_FOUND = {
      status  = "404", code = "NOT_FOUND"
      message = jsonencode("There is nothing at this path: use /jobs or /jobs/{jobId}.")
    }
    THROTTLED = {
      status  = "429", code = "THROTTLED", message = jsonencode("Too many requests at once. Try again in a moment.")
      headers = { Retry-After = "1" }
    }
    QUOTA_EXCEEDED = {
      status = "429", code = "QUOTA_EXCEEDED", message = jsonencode("The quota of the usage plan is used up.")
    }
    AUTHORIZER_FAILURE = {
      status = "500", code = "INTERNAL_ERROR", message = jsonencode("The authorizer failed. Try again.")
    }
    AUTHORIZER_CONFIGURATION_ERROR = {
      status = "500", code = "INTERNAL_ERROR", message = jsonencode("The authorizer of the API is not set up correctly.")
    }
    API_CONFIGURATION_ERROR = {
      status = "500", code = "INTERNAL_ERROR", message = jsonencode("The API is not set up correctly.")
    }
    INTEGRATION_FAILURE = {
      status  = "502", code = "INTERNAL_ERROR"
      message = jsonencode("The service behind the API could not be reached. Whether it did what was asked is not known.")
    }
    INTEGRATION_TIMEOUT = {
      status  = "504", code = "TIMEOUT"
      message = jsonencode("The service behind the API did not answer in time. Whether it did what was asked is not known.")
    }
    # The remaining ones keep the gateway's status. The 4xx without a type of their own are credentials that AWS does not know, or that
    # are not a signature at all, such as a bearer token (403).
    DEFAULT_4XX = {
      status = null, code = "FORBIDDEN", message = jsonencode(local.credentials_messages.DEFAULT_4XX)
    }
    DEFAULT_5XX = {
      status = null, code = "INTERNAL_ERROR", message = jsonencode("The request failed because of a fault on our side.")
    }
  }

  gateway_response_templates = {
    for type, response in local.gateway_responses :
    type => "{\"error\": {\"code\": \"${response.code}\", \"message\": ${response.message}}}"
  }
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.gateway_responses

  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status

  response_parameters = {
    for name, value in merge(lookup(each.value, "headers", {}), local.cors_static_headers) : "gatewayresponse.header.${name}" => "'${value}'"
  }

  response_templates = { "application/json" = local.gateway_response_templates[each.key] }
}
