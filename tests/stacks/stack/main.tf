# The system as the integration tests and the fault suite want it: modules/ai-jobs with times that are short enough to
# wait for.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

# The local AWS, and no other account: see environments/local/providers.tf.
provider "aws" {
  region                      = "us-east-1"
  allowed_account_ids         = ["000000000000"]
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

module "ai_jobs" {
  source = "../../../modules/ai-jobs"

  name        = "integration"
  environment = "test"
  packages    = { directory = "${path.module}/../../../dist" }

  table  = { deletion_protection = false, point_in_time_recovery = false }
  bucket = { force_destroy = true }

  request_queue  = { visibility_timeout_seconds = 25 }
  processor      = { timeout_seconds = 25, batching_window_seconds = 0, layers = [aws_lambda_layer_version.handlers.arn, module.acme_jobs.layer_arn] }
  response_queue = { visibility_timeout_seconds = 30 }
  jobs           = { max_backoff_seconds = 1, model_access_wait_seconds = 10 }

  builtin_job_types = false
  job_types = merge(
    local.acme_job_types,
    { for name, timeout_seconds in { echo = 5, brief = 2, curt = 2, patient = 6 } : name => merge(local.text, { timeout_seconds = timeout_seconds }) },
    {
      # With a model of their own, so that an outage of it is no other type's.
      facts = merge(local.text, {
        output_schema = jsonencode({
          type                 = "object"
          required             = ["text", "rooms"]
          properties           = { text = { type = "string", minLength = 1 }, rooms = { type = "integer", minimum = 1 } }
          additionalProperties = false
        })
      })
      doubled = merge(local.text, { model_id = "amazon.nova-pro-v1:0", fallback_model_ids = ["amazon.nova-micro-v1:0"] })
      picture = merge(local.text, { attachments = { media_types = ["image/png", "text/plain"], max_count = 2, max_bytes = 5000000 } })
      own     = merge(local.text, { prompt = null, handler = "stack_handlers:work" })
      missing = merge(local.text, { prompt = null, handler = "stack_handlers:missing" })
      tuned = merge(local.text, {
        prompt        = "Shorten this: {{ text }}"
        service_tier  = "flex"
        prompt_cache  = { ttl = "5m" }
        effort        = "low"
        top_p         = 0.5
        system_prompt = "You shorten."
      })
    },
  )
}

locals {
  text = {
    prompt          = "{{ text }}"
    max_tokens      = 100
    timeout_seconds = 2
    input_schema = jsonencode({
      type                 = "object"
      required             = ["text"]
      properties           = { text = { type = "string" }, cue = { type = "string" } }
      additionalProperties = false
    })
  }
}

variable "handlers_package" {
  description = "The zip of the layer with stack_handlers.py; the tests' fixture makes it, and says where."
  type        = string
}

resource "aws_lambda_layer_version" "handlers" {
  layer_name       = "integration-handlers"
  filename         = var.handlers_package
  source_code_hash = filebase64sha256(var.handlers_package)
}

output "request_queue_url" { value = module.ai_jobs.request_queue_url }
output "response_queue_url" { value = module.ai_jobs.response_queue_url }
output "request_dlq_url" { value = module.ai_jobs.request_dlq_url }
output "response_dlq_url" { value = module.ai_jobs.response_dlq_url }
output "api_id" { value = module.ai_jobs.api_id }
output "api_stage_name" { value = module.ai_jobs.api_stage_name }
output "table_name" { value = module.ai_jobs.table_name }
output "processor_function_name" { value = module.ai_jobs.processor_function_name }
output "result_handler_function_name" { value = module.ai_jobs.result_handler_function_name }
output "reconciler_function_name" { value = module.ai_jobs.reconciler_function_name }
output "jobs_api_function_name" { value = module.ai_jobs.jobs_api_function_name }
output "bucket_name" { value = module.ai_jobs.bucket_name }
output "metrics_namespace" { value = module.ai_jobs.metrics_namespace }
output "dashboard_body" { value = module.ai_jobs.dashboard_body }
output "alarm_names" { value = module.ai_jobs.alarm_names }
output "processor_role_name" { value = module.ai_jobs.processor_role_name }
output "config_application_id" { value = module.ai_jobs.config_application_id }
output "config_environment_id" { value = module.ai_jobs.config_environment_id }
output "config_profile_id" { value = module.ai_jobs.config_profile_id }
