locals {
  # The keys are the ones that the functions read. Nulls are omitted, because to the model "no temperature" and
  # "temperature null" are different things; so is what is empty.
  job_types = {
    for name, type in var.job_types : name => { for key, value in {
      modelId                      = type.model_id
      fallbackModelIds             = length(type.fallback_model_ids) == 0 ? null : type.fallback_model_ids
      inferenceProfiles            = length(type.inference_profiles) == 0 ? null : type.inference_profiles
      systemPrompt                 = type.system_prompt
      prompt                       = type.prompt
      handler                      = type.handler
      maxTokens                    = type.max_tokens
      timeoutSeconds               = type.timeout_seconds
      temperature                  = type.temperature
      topP                         = type.top_p
      stopSequences                = length(type.stop_sequences) == 0 ? null : type.stop_sequences
      effort                       = type.effort
      serviceTier                  = type.service_tier
      promptCache                  = type.prompt_cache
      guardrail                    = type.guardrail
      additionalModelRequestFields = type.additional_model_request_fields == null ? null : jsondecode(type.additional_model_request_fields)
      requestMetadata              = length(type.request_metadata) == 0 ? null : type.request_metadata
      inputSchema                  = jsondecode(type.input_schema)
      outputSchema                 = type.output_schema == null ? null : jsondecode(type.output_schema)
      output                       = type.output == null ? null : { for name, value in type.output : name => value if value != null }
      attachments = type.attachments == null ? null : {
        mediaTypes = type.attachments.media_types
        maxCount   = type.attachments.max_count
        maxBytes   = type.attachments.max_bytes
      }
    } : key => value if value != null }
  }

  version = substr(sha256(jsonencode(local.job_types)), 0, 12)

  document = jsonencode({
    version  = local.version
    jobTypes = local.job_types
  })

  # What can be checked in a plan even if an inference profile is new: its ARN is not known before the apply, and nothing that is
  # encoded together with it is.
  job_types_at_plan = { for name, type in local.job_types : name => { for key, value in type : key => value if key != "inferenceProfiles" } }

  # Re-encoded without whitespace, because AppConfig counts it.
  validator = jsonencode(jsondecode(file("${path.module}/document.schema.json")))
}

resource "aws_appconfig_application" "this" {
  name        = var.name
  description = "Configuration of the AI job service."
  tags        = var.tags
}

resource "aws_appconfig_environment" "this" {
  name           = var.environment
  application_id = aws_appconfig_application.this.id
  tags           = var.tags
}

resource "aws_appconfig_configuration_profile" "this" {
  name           = var.profile_name
  description    = "Job types: models, prompts, limits, and input schemas."
  application_id = aws_appconfig_application.this.id
  location_uri   = "hosted"
  type           = "AWS.Freeform"

  validator {
    type    = "JSON_SCHEMA"
    content = local.validator
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length(local.validator) <= 32768
      error_message = "The validator has ${length(local.validator)} characters, and AppConfig accepts at most 32768. Shorten ${path.module}/document.schema.json."
    }
  }
}

resource "aws_appconfig_hosted_configuration_version" "this" {
  application_id           = aws_appconfig_application.this.id
  configuration_profile_id = aws_appconfig_configuration_profile.this.configuration_profile_id
  description              = "Job types ${local.version}"
  content_type             = "application/json"
  content                  = local.document

  # Every change is a new version; the old one stays in use until the new one is deployed.
  lifecycle {
    create_before_destroy = true
  }
}

# For `ai-jobs types`, which reads a plan's job types here if it does not know the document.
resource "terraform_data" "job_types_at_plan" {
  input = jsonencode({ version = "planned", jobTypes = local.job_types_at_plan })
}

# The predefined AllAtOnce bakes for ten minutes, and AppConfig rejects a second change during that time (409).
resource "aws_appconfig_deployment_strategy" "at_once" {
  name                           = var.strategy_name
  description                    = "All at once, without a bake time."
  deployment_duration_in_minutes = 0
  final_bake_time_in_minutes     = 0
  growth_factor                  = 100
  growth_type                    = "LINEAR"
  replicate_to                   = "NONE"
  tags                           = var.tags
}

resource "aws_appconfig_deployment" "this" {
  application_id           = aws_appconfig_application.this.id
  environment_id           = aws_appconfig_environment.this.environment_id
  configuration_profile_id = aws_appconfig_configuration_profile.this.configuration_profile_id
  configuration_version    = aws_appconfig_hosted_configuration_version.this.version_number
  deployment_strategy_id   = aws_appconfig_deployment_strategy.at_once.id
  tags                     = var.tags

  # As soon as a type is deployed, workers may call its model.
  depends_on = [var.deploy_after]
}
