# Which ARNs a model id stands for. Converse is authorised by bedrock:InvokeModel.

locals {
  model_ids     = distinct([for type in values(local.job_types) : type.model_id])
  guardrail_ids = distinct([for type in values(local.job_types) : type.guardrail.id if type.guardrail != null])

  # A cross-region inference profile is a model id with the geography in front: us., eu., jp., apac.,
  # us-gov., global. No provider has a name of two letters, so this also covers the next geography.
  profile_pattern = "^(global|apac|us-gov|[a-z]{2})\\."

  model_arns_given = [for id in local.model_ids : id if startswith(id, "arn:")]
  profile_ids      = [for id in local.model_ids : id if !startswith(id, "arn:") && can(regex(local.profile_pattern, id))]
  foundation_ids   = [for id in local.model_ids : id if !startswith(id, "arn:") && !can(regex(local.profile_pattern, id))]

  profile_arns = [
    for id in local.profile_ids :
    "arn:${local.partition}:bedrock:${local.region}:${local.account_id}:inference-profile/${id}"
  ]

  # What is called by name: foundation models, profiles, and whatever the caller gave as an ARN.
  invocable_arns = concat(
    [for id in local.foundation_ids : "arn:${local.partition}:bedrock:${local.region}::foundation-model/${id}"],
    local.profile_arns,
    local.model_arns_given,
  )

  # A call through a profile is authorised a second time, on the model, in the region that it is
  # routed to; a global profile asks on the model's ARN without a region. Only through the profile:
  # the condition keeps the permission from becoming one to call the model anywhere.
  routed_models = distinct([for id in local.profile_ids : replace(id, "/${local.profile_pattern}/", "")])
  routed_model_arns = flatten([
    for model in local.routed_models : [
      "arn:${local.partition}:bedrock:*::foundation-model/${model}",
      "arn:${local.partition}:bedrock:::foundation-model/${model}",
    ]
  ])

  # An ARN does not tell which model is behind it, if it is the ARN of a profile.
  given_profile_arns = [for arn in local.model_arns_given : arn if can(regex("inference-profile/", arn))]

  # Known in the plan, so that its length counts exactly: this is the part of the policy that grows.
  model_statements = [for statement in concat(
    [{
      sid        = "InvokeModels"
      actions    = ["bedrock:InvokeModel"]
      resources  = local.invocable_arns
      conditions = {}
    }],
    length(local.profile_arns) == 0 ? [] : [{
      sid        = "InvokeModelsThroughProfiles"
      actions    = ["bedrock:InvokeModel"]
      resources  = local.routed_model_arns
      conditions = { StringEquals = { "bedrock:InferenceProfileArn" = local.profile_arns } }
    }],
    length(local.given_profile_arns) == 0 ? [] : [{
      sid     = "InvokeModelsThroughGivenProfiles"
      actions = ["bedrock:InvokeModel"]
      resources = [
        "arn:${local.partition}:bedrock:*::foundation-model/*",
        "arn:${local.partition}:bedrock:::foundation-model/*",
      ]
      conditions = { StringEquals = { "bedrock:InferenceProfileArn" = local.given_profile_arns } }
    }],
    length(local.guardrail_ids) == 0 ? [] : [{
      sid     = "ApplyGuardrails"
      actions = ["bedrock:ApplyGuardrail"]
      resources = [
        for id in local.guardrail_ids :
        startswith(id, "arn:") ? id : "arn:${local.partition}:bedrock:${local.region}:${local.account_id}:guardrail/${id}"
      ]
      conditions = {}
    }],
  ) : merge(statement, { resources_known = true })]
}
