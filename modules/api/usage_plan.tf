# API keys count and limit their holders' calls. They do not identify anybody, so they complement an authorization, and never replace
# it.

locals {
  # Never `var.usage_plan == null`: a key's value may be marked as sensitive, which would make the comparison sensitive too.
  api_key_names    = try(toset(keys(var.usage_plan.keys)), toset([]))
  api_key_required = length(local.api_key_names) > 0
}

resource "aws_api_gateway_api_key" "this" {
  for_each = local.api_key_names

  name        = "${var.name}-${each.key}"
  description = "Counts and limits the calls of ${each.key}."
  value       = var.usage_plan.keys[each.key].value
  tags        = var.tags
}

resource "aws_api_gateway_usage_plan" "this" {
  count = local.api_key_required ? 1 : 0

  name        = var.name
  description = "What each API key of ${var.name} may use."

  api_stages {
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.this.stage_name
  }

  dynamic "throttle_settings" {
    for_each = var.usage_plan.rate_limit == null ? [] : [var.usage_plan]

    content {
      rate_limit  = throttle_settings.value.rate_limit
      burst_limit = throttle_settings.value.burst_limit
    }
  }

  dynamic "quota_settings" {
    for_each = var.usage_plan.quota == null ? [] : [var.usage_plan.quota]

    content {
      limit  = quota_settings.value.limit
      period = quota_settings.value.period
    }
  }

  tags = var.tags
}

resource "aws_api_gateway_usage_plan_key" "this" {
  for_each = local.api_key_names

  usage_plan_id = aws_api_gateway_usage_plan.this[0].id
  key_id        = aws_api_gateway_api_key.this[each.key].id
  key_type      = "API_KEY"
}
