# How another repository used the module when this release was made. tests/terraform/test_releases.py plans this root, with the
# state that `make record-release` left beside it, against the code: an input that no longer exists fails the plan, and so does
# anything that would be destroyed. Once the release is out, this folder does not change anymore.

terraform {
  required_version = ">= 1.9"

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

# The options are those that create resources of their own, as far as the local AWS has them.
module "ai_jobs" {
  source = "../../../modules/ai-jobs"

  name        = "acme"
  environment = "production"
  tags        = { Team = "growth" }
  packages    = { directory = "../../terraform/fixtures/packages" }

  kms_key_arn = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-4333-8444-555555555555"

  job_types = {
    "email-subject" = {
      prompt     = "Write three subject lines for this email:\n{{ body }}"
      max_tokens = 200
      input_schema = jsonencode({
        type       = "object"
        required   = ["body"]
        properties = { body = { type = "string", maxLength = 20000 } }
      })
      output_schema = jsonencode({
        type                 = "object"
        required             = ["subjects"]
        properties           = { subjects = { type = "array", items = { type = "string" } } }
        additionalProperties = false
      })
    }
  }

  api = {
    cors        = { allow_origins = ["https://app.example.com"] }
    access_logs = true
    usage_plan  = { keys = { web = { value = "0123456789012345678901234567890123456789" } }, rate_limit = 10, burst_limit = 20 }
  }

  alarms = { email_addresses = ["ops@example.com"], page_email_addresses = ["on-call@example.com"] }
  budget = { daily_tokens_total = 1000000 }
}

# Every output: one that no longer exists fails the plan, too. (Its length, because the state need not repeat them.)
output "outputs_length" {
  value = length(jsonencode([
    module.ai_jobs.request_queue_url,
    module.ai_jobs.request_queue_arn,
    module.ai_jobs.response_queue_url,
    module.ai_jobs.response_queue_arn,
    module.ai_jobs.request_dlq_url,
    module.ai_jobs.request_dlq_arn,
    module.ai_jobs.response_dlq_url,
    module.ai_jobs.response_dlq_arn,
    module.ai_jobs.api_url,
    module.ai_jobs.api_id,
    module.ai_jobs.api_stage_name,
    module.ai_jobs.api_execution_arn,
    module.ai_jobs.api_key_ids,
    module.ai_jobs.api_domain_target,
    module.ai_jobs.api_domain_zone_id,
    module.ai_jobs.processor_function_name,
    module.ai_jobs.result_handler_function_name,
    module.ai_jobs.jobs_api_function_name,
    module.ai_jobs.reconciler_function_name,
    module.ai_jobs.bucket_name,
    module.ai_jobs.bucket_arn,
    module.ai_jobs.table_name,
    module.ai_jobs.table_arn,
    module.ai_jobs.alarm_topic_arn,
    module.ai_jobs.page_topic_arn,
    module.ai_jobs.alarm_topic_arns,
    module.ai_jobs.alarm_names,
    module.ai_jobs.service_alarm_name,
    module.ai_jobs.dashboard_name,
    module.ai_jobs.dashboard_body,
    module.ai_jobs.metrics_namespace,
    module.ai_jobs.config_application_id,
    module.ai_jobs.config_environment_id,
    module.ai_jobs.model_prices,
    module.ai_jobs.config_profile_id,
    module.ai_jobs.job_types,
    module.ai_jobs.processor_role_name,
    module.ai_jobs.result_handler_role_name,
    module.ai_jobs.reconciler_role_name,
    module.ai_jobs.event_publisher_function_name,
    module.ai_jobs.event_publisher_role_name,
    module.ai_jobs.event_bus_arn,
    module.ai_jobs.events_dlq_url,
    module.ai_jobs.events_dlq_arn,
    module.ai_jobs.builds,
    module.ai_jobs.release,
    module.ai_jobs.events_enabled,
  ]))
}
