# The plans of environments/* that pytest takes apart: tests/plans.py reads them, by the name of their run. A run asserts nothing; it says what is given.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "Z0V5oisvAcrGqaaNmRFRao6uFzgSqQhBvRL/wgkClq0=" }
  }

  # What only AWS knows, made known and different for each resource: a wire that ends at the wrong one shows.
  override_during = plan

  override_resource {
    target = module.ai_jobs.module.request_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:::request", url = "https://sqs/request" }
  }
  override_resource {
    target = module.ai_jobs.module.request_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:::request-dlq", url = "https://sqs/request-dlq" }
  }
  override_resource {
    target = module.ai_jobs.module.response_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:::response", url = "https://sqs/response" }
  }
  override_resource {
    target = module.ai_jobs.module.response_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:::response-dlq", url = "https://sqs/response-dlq" }
  }
  override_resource {
    target = module.ai_jobs.module.store.aws_dynamodb_table.this
    values = { arn = "arn:aws:dynamodb:::jobs" }
  }
  override_resource {
    target = module.ai_jobs.module.bucket.aws_s3_bucket.this
    values = { arn = "arn:aws:s3:::objects" }
  }
  override_resource {
    target = module.ai_jobs.module.job_types.aws_appconfig_application.this
    values = { id = "app1abc" }
  }
  override_resource {
    target = module.ai_jobs.module.job_types.aws_appconfig_environment.this
    values = { environment_id = "env1abc" }
  }
  override_resource {
    target = module.ai_jobs.module.job_types.aws_appconfig_configuration_profile.this
    values = { configuration_profile_id = "pro1abc" }
  }
  override_resource {
    target = module.ai_jobs.module.api.aws_api_gateway_rest_api.this
    values = { id = "api1", root_resource_id = "root1", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1" }
  }
  override_resource {
    target = module.ai_jobs.module.api.aws_api_gateway_stage.this
    values = { arn = "arn:aws:apigateway:::stage", invoke_url = "https://api1/v1", execution_arn = "arn:aws:execute-api:::api1/v1" }
  }
  override_resource {
    target = module.ai_jobs.module.api.aws_api_gateway_api_key.this
    values = { id = "key1" }
  }
  override_resource {
    target = module.ai_jobs.module.api.aws_api_gateway_domain_name.this
    values = { regional_domain_name = "d-1.example.com", regional_zone_id = "ZONE1" }
  }
  override_resource {
    target = module.ai_jobs.module.alarms.aws_cloudwatch_metric_alarm.this
    values = { arn = "arn:aws:cloudwatch:::alarm" }
  }
  override_resource {
    target = module.ai_jobs.module.alarms.aws_cloudwatch_composite_alarm.service_unhealthy
    values = { arn = "arn:aws:cloudwatch:::service" }
  }
  override_resource {
    target = module.ai_jobs.module.alarms.aws_sns_topic.this
    values = { arn = "arn:aws:sns:::alarms" }
  }
  override_resource {
    target = module.ai_jobs.module.event_publisher[0].aws_sqs_queue.failures
    values = { arn = "arn:aws:sqs:::events-dlq", url = "https://sqs/events-dlq" }
  }
}

variables {
  packages = { s3 = { bucket = "releases", manifest = "fixtures/packages/manifest.json" } }
  tags     = { Team = "growth" }
  api = {
    usage_plan = { keys = { web = {} } }
    domain     = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  }
}

run "local" {
  command = plan

  module {
    source = "../../environments/local"
  }

  variables {
    packages = { directory = "fixtures/packages" }
  }
}

run "development" {
  command = plan

  module {
    source = "../../environments/development"
  }
}

run "staging" {
  command = plan

  module {
    source = "../../environments/staging"
  }
}

run "production" {
  command = plan

  module {
    source = "../../environments/production"
  }
}

# What a caller of an environment may set, and the zips of make package as they are by default.
run "settings_of_an_environment" {
  command = plan

  module {
    source = "../../environments/production"
  }

  variables {
    name             = "acme"
    packages         = { directory = "fixtures/packages" }
    default_model_id = "eu.amazon.nova-lite-v1:0"
    kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    budget           = { daily_tokens_total = 50000 }
    events           = { include_result = true }
    # What the environment sets is replaced by name, the rest of it stays.
    api = { access_logs = true, throttling_rate_limit = 300 }

    alarms = {
      email_addresses      = ["ops@example.com"]
      page_email_addresses = ["on-call@example.com"]
      runbook_url          = "https://wiki.example.com/runbooks"
    }

    job_types = { summary = { prompt = "Summarise {{ text }}", input_schema = "{}" } }
  }
}
