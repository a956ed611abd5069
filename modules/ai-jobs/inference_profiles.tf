# Application inference profiles: one for each model of a job type that asks for its own. The bill shows what is called through a
# profile by the profile's tags (https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-create.html).

locals {
  # The ARN of the model or of the cross-region profile that an id stands for, and the model behind it.
  profiled_calls = [for call in local.model_calls : merge(call, {
    # The position, not the id: what identifies a resource must be known when the plan is made.
    key = "${call.job_type} ${call.position}"
    source_arn = (
      startswith(call.model_id, "arn:") ? call.model_id :
      can(regex(local.profile_pattern, call.model_id)) ? "arn:${local.partition}:bedrock:${local.region}:${local.account_id}:inference-profile/${call.model_id}" :
      "arn:${local.partition}:bedrock:${local.region}::foundation-model/${call.model_id}"
    )
    model = replace(regex("[^/]+$", call.model_id), "/${local.profile_pattern}/", "")
  }) if call.own_profile]

  # As for the cross-region profiles in models.tf: a call is authorized on the profile, and on the model in the region that the call
  # is routed to.
  profiled_models = distinct([for call in local.profiled_calls : call.model])
  own_profile_statements = [for statement in [
    {
      sid              = "InvokeOwnProfiles"
      actions          = ["bedrock:InvokeModel"]
      resources        = [for call in local.profiled_calls : aws_bedrock_inference_profile.this[call.key].arn]
      conditions       = {}
      resources_known  = false
      conditions_known = true
    },
    {
      sid     = "InvokeModelsThroughOwnProfiles"
      actions = ["bedrock:InvokeModel"]
      resources = flatten([for model in local.profiled_models : [
        "arn:${local.partition}:bedrock:*::foundation-model/${model}",
        "arn:${local.partition}:bedrock:::foundation-model/${model}",
      ]])
      conditions       = { StringEquals = { "bedrock:InferenceProfileArn" = [for call in local.profiled_calls : aws_bedrock_inference_profile.this[call.key].arn] } }
      resources_known  = true
      conditions_known = false
    },
  ] : statement if length(local.profiled_calls) > 0]
}

resource "aws_bedrock_inference_profile" "this" {
  for_each = { for call in local.profiled_calls : call.key => call }

  # Bedrock allows 64 letters and digits, with one separator between two of them. The digest tells a type's models apart; a
  # profile that replaces another one has a name of its own.
  name = join("-", [
    trimsuffix(substr(replace("${var.name}-${var.environment}-${each.value.job_type}", "/-+/", "-"), 0, 55), "-"),
    substr(sha256("${var.name} ${var.environment} ${each.value.job_type} ${each.value.model_id}"), 0, 8),
  ])

  model_source {
    copy_from = each.value.source_arn
  }

  tags = merge(local.tags, { JobType = each.value.job_type })

  # Workers call the old profile until the new document is deployed.
  lifecycle {
    create_before_destroy = true
  }
}
