# Which ARNs a model id stands for. bedrock:InvokeModel authorizes Converse.

locals {
  # Every model that a type may call. What is called through a profile of the type's own is in inference_profiles.tf.
  model_calls = flatten([
    for name, type in local.job_types : [
      for position, id in concat([type.model_id], type.fallback_model_ids) :
      { job_type = name, position = position, model_id = id, own_profile = type.inference_profile }
    ]
  ])

  model_ids     = distinct([for call in local.model_calls : call.model_id if !call.own_profile])
  guardrail_ids = distinct([for type in values(local.job_types) : type.guardrail.id if type.guardrail != null])

  # A cross-region inference profile is a model id prefixed with its geography: us., eu., jp., apac., us-gov., global.
  # No provider has a name of two letters, so the pattern also covers the next geography.
  profile_pattern = "^${local.contract.patterns.inference_profile_prefix}"

  model_arns_given = [for id in local.model_ids : id if startswith(id, "arn:")]
  profile_ids      = [for id in local.model_ids : id if !startswith(id, "arn:") && can(regex(local.profile_pattern, id))]
  foundation_ids   = [for id in local.model_ids : id if !startswith(id, "arn:") && !can(regex(local.profile_pattern, id))]

  profile_arns = [
    for id in local.profile_ids :
    "arn:${local.partition}:bedrock:${local.region}:${local.account_id}:inference-profile/${id}"
  ]

  # What is called by name: foundation models, profiles, and whatever the caller passes as an ARN.
  invocable_arns = concat(
    [for id in local.foundation_ids : "arn:${local.partition}:bedrock:${local.region}::foundation-model/${id}"],
    local.profile_arns,
    local.model_arns_given,
  )

  # A call through a profile is authorized a second time, on the model, in the region that the call is routed to; a global
  # profile uses the model's ARN without a region. The condition limits this permission to calls through the profile:
  # without it, the role could call the model anywhere.
  routed_models = distinct([for id in local.profile_ids : replace(id, "/${local.profile_pattern}/", "")])
  routed_model_arns = flatten([
    for model in local.routed_models : [
      "arn:${local.partition}:bedrock:*::foundation-model/${model}",
      "arn:${local.partition}:bedrock:::foundation-model/${model}",
    ]
  ])

  # The ARN of a profile does not say which model is behind it.
  given_profile_arns = [for arn in local.model_arns_given : arn if can(regex("inference-profile/", arn))]

  # Known at plan time, so that its length counts exactly: this is the part of the policy that grows.
  model_statements = [for statement in concat(
    length(local.invocable_arns) == 0 ? [] : [{
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
