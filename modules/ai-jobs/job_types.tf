locals {
  # One YAML file each; their schemas are YAML too, and become JSON strings like those that a caller passes.
  builtin_job_types = {
    for file in fileset("${path.module}/builtin_job_types", "*.yaml") :
    trimsuffix(file, ".yaml") => yamldecode(file("${path.module}/builtin_job_types/${file}"))
  }

  # What a built-in type leaves out has the default of the variable's own type.
  job_type_defaults = {
    fallback_model_ids              = []
    inference_profile               = false
    handler                         = null
    temperature                     = null
    top_p                           = null
    stop_sequences                  = []
    effort                          = null
    service_tier                    = null
    prompt_cache                    = null
    guardrail                       = null
    additional_model_request_fields = null
    request_metadata                = {}
    output_schema                   = null
    output                          = null
    attachments                     = null
  }

  builtin_job_types_in_use = {
    for name, type in local.builtin_job_types : name => merge(local.job_type_defaults, type, {
      model_id     = var.default_model_id
      input_schema = jsonencode(type.input_schema)
    }) if var.builtin_job_types
  }

  # A caller's type replaces a built-in one of the same name as a whole: a prompt and the schema of
  # its fields belong together.
  job_types = merge(local.builtin_job_types_in_use, {
    for name, type in var.job_types : name => merge(type, {
      model_id = coalesce(type.model_id, var.default_model_id)
    })
  })

  # How long a job keeps a worker: its model call and those that may correct the answer, or its handler.
  longest_seconds = {
    for name, type in local.job_types : name =>
    type.timeout_seconds * (type.output_schema == null || type.handler != null ? 1 : 1 + try(type.output.repairs, 1))
  }
}

module "job_types" {
  source = "../job-types"

  name          = local.names.config
  strategy_name = local.names.deployment
  environment   = var.environment
  job_types = {
    for name, type in local.job_types : name => merge(type, {
      inference_profiles = { for call in local.profiled_calls : call.model_id => aws_bedrock_inference_profile.this[call.key].arn if call.job_type == name }
    })
  }
  tags = local.tags

  # Workers call a new model or a new handler as soon as they see it. This waits for the policy and for the function with its
  # layers, not for the whole module, whose queue trigger waits for the deployment.
  deploy_after = [module.processor.role_policy_id, module.processor.arn]
}
