# Who may call, and whose jobs a call is about. In the token modes, the token names the user, never the caller's request: the
# gateway passes the identity to the function in requestContext.authorizer, and to the queue in POST's template (post_jobs.tf).

locals {
  # Where $context.authorizer holds the user. The modes that trust the caller's userId have no entry.
  token_users = {
    COGNITO_USER_POOLS = "$context.authorizer.claims.sub"
    CUSTOM             = "$context.authorizer.principalId"
  }
  has_authorizer = contains(keys(local.token_users), var.authorization)

  authorizer = {
    COGNITO_USER_POOLS = {
      type            = "COGNITO_USER_POOLS"
      provider_arns   = try(var.cognito.user_pool_arns, null)
      uri             = null
      identity_source = "method.request.header.Authorization"
      ttl_seconds     = null
    }
    CUSTOM = {
      type            = try(var.lambda_authorizer.type, null)
      provider_arns   = null
      uri             = join("", ["arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.id}:lambda:path/2015-03-31/functions/", try(var.lambda_authorizer.function_arn, ""), "/invocations"])
      identity_source = try(var.lambda_authorizer.identity_source, null)
      ttl_seconds     = try(var.lambda_authorizer.result_ttl_seconds, null)
    }
  }

  authorizer_id = one(aws_api_gateway_authorizer.this[*].id)

  # With scopes, the gateway accepts access tokens; without, ID tokens.
  authorization_scopes = var.authorization == "COGNITO_USER_POOLS" && length(try(var.cognito.scopes, [])) > 0 ? var.cognito.scopes : null

  # function_arn may name a version or an alias, and Lambda's permissions have a separate field for it.
  authorizer_function = try(regex("^(?P<arn>arn:[^:]+:lambda:[^:]+:[0-9]+:function:[^:]+)(?::(?P<qualifier>.+))?$", var.lambda_authorizer.function_arn), null)
}

resource "aws_api_gateway_authorizer" "this" {
  count = local.has_authorizer ? 1 : 0

  rest_api_id                      = aws_api_gateway_rest_api.this.id
  name                             = "users"
  type                             = local.authorizer[var.authorization].type
  provider_arns                    = local.authorizer[var.authorization].provider_arns
  authorizer_uri                   = local.authorizer[var.authorization].uri
  identity_source                  = local.authorizer[var.authorization].identity_source
  authorizer_result_ttl_in_seconds = local.authorizer[var.authorization].ttl_seconds
}

resource "aws_lambda_permission" "authorizer" {
  count = var.authorization == "CUSTOM" ? 1 : 0

  # One function may be the authorizer of several APIs.
  statement_id  = "Allow-${aws_api_gateway_rest_api.this.id}-${local.authorizer_id}"
  action        = "lambda:InvokeFunction"
  function_name = local.authorizer_function.arn
  qualifier     = local.authorizer_function.qualifier
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/authorizers/${local.authorizer_id}"
}
