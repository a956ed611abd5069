locals {
  # One YAML file each; their schemas are YAML too, and become the JSON strings that a caller gives.
  builtin_job_types = {
    for file in fileset("${path.module}/builtin_job_types", "*.yaml") :
    trimsuffix(file, ".yaml") => yamldecode(file("${path.module}/builtin_job_types/${file}"))
  }

  builtin_job_types_in_use = {
    for name, type in local.builtin_job_types : name => {
      model_id        = var.default_model_id
      system_prompt   = type.system_prompt
      prompt          = type.prompt
      max_tokens      = type.max_tokens
      temperature     = null
      timeout_seconds = type.timeout_seconds
      guardrail       = null
      input_schema    = jsonencode(type.input_schema)
    } if var.builtin_job_types
  }

  # A caller's type replaces a built-in one of the same name as a whole: a prompt and the schema of
  # its fields belong together.
  job_types = merge(local.builtin_job_types_in_use, {
    for name, type in var.job_types : name => merge(type, {
      model_id = coalesce(type.model_id, var.default_model_id)
    })
  })

  # What the processor needs besides the model call: it keeps back 10 s for sending results (PROCESSOR_MARGIN_SECONDS
  # in functions/ai_jobs/service/retries.py), and a job that does not fit in what is left is not started; 5 s more for the
  # function's start and the claim of the job.
  job_timeout_margin_seconds = 15
}

module "job_types" {
  source = "../job-types"

  name          = local.names.config
  strategy_name = local.names.deployment
  environment   = var.environment
  job_types     = local.job_types
  tags          = local.tags

  # Workers call a new model as soon as they see it. Only the policy, and not the whole function: its queue trigger
  # waits for the deployment.
  deploy_after = [module.processor.role_policy_id]
}
