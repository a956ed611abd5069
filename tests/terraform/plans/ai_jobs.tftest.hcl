# The plans of modules/ai-jobs that pytest takes apart: tests/plans.py reads them, by the name of their run. A run asserts
# nothing; it says what is given.

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
    target = module.request_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:::request", url = "https://sqs/request" }
  }
  override_resource {
    target = module.request_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:::request-dlq", url = "https://sqs/request-dlq" }
  }
  override_resource {
    target = module.response_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:::response", url = "https://sqs/response" }
  }
  override_resource {
    target = module.response_queue.aws_sqs_queue.dlq
    values = { arn = "arn:aws:sqs:::response-dlq", url = "https://sqs/response-dlq" }
  }
  override_resource {
    target = module.store.aws_dynamodb_table.this
    values = { arn = "arn:aws:dynamodb:::jobs", stream_arn = "arn:aws:dynamodb:::jobs/stream/1" }
  }
  override_resource {
    target = module.bucket.aws_s3_bucket.this
    values = { arn = "arn:aws:s3:::objects" }
  }
  override_resource {
    target = module.reconciler.aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:::reconciler" }
  }
  override_resource {
    target = module.reconciler.aws_lambda_alias.live
    values = { arn = "arn:aws:lambda:::reconciler:live" }
  }
  override_resource {
    target = module.reconciler.aws_iam_role.schedule
    values = { arn = "arn:aws:iam::123456789012:role/schedule" }
  }
  override_resource {
    target = module.job_types.aws_appconfig_application.this
    values = { id = "app1abc" }
  }
  override_resource {
    target = module.job_types.aws_appconfig_environment.this
    values = { environment_id = "env1abc" }
  }
  override_resource {
    target = module.job_types.aws_appconfig_configuration_profile.this
    values = { configuration_profile_id = "pro1abc" }
  }
  override_resource {
    target = module.api.aws_api_gateway_rest_api.this
    values = { id = "api1", root_resource_id = "root1", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:api1" }
  }
  override_resource {
    target = module.api.aws_api_gateway_stage.this
    values = { arn = "arn:aws:apigateway:::stage", invoke_url = "https://api1/v1", execution_arn = "arn:aws:execute-api:::api1/v1" }
  }
  # A value of their own for each of the alarms too.
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = {}
  }
  override_resource {
    target = module.alarms.aws_cloudwatch_composite_alarm.service_unhealthy
    values = { arn = "arn:aws:cloudwatch:::service" }
  }
  override_resource {
    target = module.alarms.aws_sns_topic.this
    values = { arn = "arn:aws:sns:::alarms" }
  }
  override_resource {
    target = module.processor.aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:::processor" }
  }
  override_resource {
    target = module.result_handler.aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:::result-handler" }
  }
  override_resource {
    target = module.jobs_api.aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:::jobs-api" }
  }
  override_resource {
    target = module.jobs_api.aws_lambda_alias.live
    values = { arn = "arn:aws:lambda:::jobs-api:live", invoke_arn = "arn:aws:apigateway:::invoke-jobs-api:live" }
  }
  override_resource {
    target = module.api.aws_iam_role.post_jobs
    values = { arn = "arn:aws:iam::123456789012:role/post-jobs" }
  }
  override_resource {
    target = module.event_publisher[0].aws_sqs_queue.failures
    values = { arn = "arn:aws:sqs:::events-dlq", url = "https://sqs/events-dlq" }
  }
  override_resource {
    target = module.event_publisher[0].aws_cloudwatch_log_group.this
    values = { arn = "arn:aws:logs:::event-publisher" }
  }
}

# Everything that a policy names, made known in the plan, in the form that it has on AWS.
mock_provider "aws" {
  alias           = "known"
  override_during = plan

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
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/one" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/one" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:123456789012:function:one"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:one/invocations"
    }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:123456789012:function:one:live"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:one:live/invocations"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:one" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::one" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-west-1:123456789012:table/one"
      stream_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/one/stream/2026-01-01T00:00:00.000"
    }
  }
  mock_resource "aws_api_gateway_rest_api" {
    defaults = { execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:one" }
  }
  mock_resource "aws_appconfig_application" {
    defaults = { id = "app1234" }
  }
  mock_resource "aws_appconfig_environment" {
    defaults = { environment_id = "env1234" }
  }
  mock_resource "aws_appconfig_configuration_profile" {
    defaults = { configuration_profile_id = "prf1234" }
  }
  mock_resource "aws_bedrock_inference_profile" {
    defaults = { arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/one" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:one" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:one" }
  }
}

variables {
  environment = "test"
  packages    = { s3 = { bucket = "releases", manifest = "fixtures/packages/manifest.json" } }
}

# As a caller gets it without settings.
run "defaults" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }
}

# Every resource that has to be asked for.
run "everything" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    alarms    = { email_addresses = ["on-call@example.com"] }
    job_types = { billed = { prompt = "{{ text }}", inference_profile = true, input_schema = "{}" } }
    api = {
      access_logs   = true
      authorization = "CUSTOM"
      lambda_authorizer = {
        function_arn       = "arn:aws:lambda:eu-west-1:123456789012:function:who"
        type               = "REQUEST"
        identity_source    = "method.request.header.Authorization, method.request.header.X-Tenant"
        result_ttl_seconds = 3600
      }
      usage_plan      = { keys = { web = {} } }
      resource_policy = { json = "{\"Statement\": []}" }
      waf             = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1" }
      domain          = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
      cors            = { allow_origins = ["https://app.example.com"] }
    }
  }
}

# Every setting away from its default, and most at the edge of what is allowed.
run "settings_given" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    name        = "acme"
    environment = "prd"
    tags        = { Team = "growth", Environment = "Production" }
    require_tls = false
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    iam         = { role_path = "/platform/", permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary" }
    vpc         = { subnet_ids = ["subnet-0a"], security_group_ids = ["sg-0b"] }

    packages = { s3 = { bucket = "zips", prefix = "/ai-jobs/", region = "eu-west-1", manifest = file("fixtures/packages/manifest.json") } }

    request_queue = {
      visibility_timeout_seconds    = 43200
      message_retention_seconds     = 60
      dlq_message_retention_seconds = 61
      receive_wait_time_seconds     = 0
      max_receive_count             = 1000
    }
    response_queue = {
      visibility_timeout_seconds    = 29
      message_retention_seconds     = 120
      dlq_message_retention_seconds = 120
      receive_wait_time_seconds     = 1
      max_receive_count             = 1
    }
    processor = {
      timeout_seconds         = 899
      memory_mb               = 10240
      batch_size              = 10000
      batching_window_seconds = 300
      maximum_concurrency     = 1000
      reserved_concurrency    = 1000
      enabled                 = false
      layers                  = ["arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:7"]
    }
    result_handler = {
      timeout_seconds         = 29
      memory_mb               = 128
      batch_size              = 11
      batching_window_seconds = 1
      maximum_concurrency     = 2
      reserved_concurrency    = 2
      enabled                 = false
    }
    jobs_api   = { timeout_seconds = 24, memory_mb = 512, reserved_concurrency = 3, max_wait_seconds = 20, max_concurrent_waits = 40 }
    reconciler = { interval_minutes = 1, timeout_seconds = 30, memory_mb = 256, reserved_concurrency = 1, enabled = false }

    api   = { authorization = "NONE", stage_name = "live", throttling_rate_limit = 7, throttling_burst_limit = 8, access_logs = true }
    table = { deletion_protection = false, point_in_time_recovery = false }
    jobs  = { retention_days = 1, default_deadline_seconds = 1209600, max_backoff_seconds = 1, config_max_age_seconds = 15 }
    logs  = { level = "ERROR", retention_days = 3653, saved_queries = false }

    alarms = {
      topic_arns           = ["arn:aws:sns:eu-west-1:123456789012:chat"]
      topic_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/0002"
      page_email_addresses = ["on-call@example.com"]
      runbook_url          = "https://wiki.example.com/runbooks"
      thresholds = {
        request_queue_depth = 1, oldest_message_age_seconds = 2, processing_rate_jobs_per_minute = 3, waiting_jobs = 4,
        failed_jobs_percent = 5, failed_jobs_minimum = 6, oldest_open_job_seconds = 7, function_errors = 8,
        duration_percent    = 50, concurrency_percent = 60, api_error_percent = 9, api_latency_ms = 10, table_throttles = 11,
      }
    }
    model_prices = {
      "acme.model" = { input = 1, output = 2.5 }
      "acme.large" = { input = 1, output = 2, cache_read = 0, cache_write = 1.25, tiers = { flex = 0.5, priority = 1.75 } }
    }

    bucket = { force_destroy = true }
    budget = { daily_tokens_per_user = 50000, daily_tokens_total = 50001 }

    # 15 s under the function's 899, less one: the longest that fits.
    job_types = {
      slow      = { prompt = "{{ text }}", timeout_seconds = 883, input_schema = "{}" }
      generated = { handler = "acme_jobs.reports:summarize", timeout_seconds = 883, input_schema = "{}", output_schema = "{}" }
      json      = { prompt = "{{ text }}", timeout_seconds = 220, input_schema = "{}", output_schema = "{}", output = { repairs = 3 } }
    }
  }
}

# The defaults with another release, in which only one function has another zip.
run "another_release" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  override_data {
    target = module.reconciler.data.aws_s3_object.package
    values = { checksum_sha256 = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=" }
  }

  variables {
    packages = {
      s3 = {
        bucket = "releases"
        manifest = jsonencode(merge(jsondecode(file("fixtures/packages/manifest.json")), {
          release = "9.9.9"
          functions = merge(jsondecode(file("fixtures/packages/manifest.json")).functions, {
            reconciler = { key = "reconciler-${sha256("x")}.zip", sha256 = sha256("x"), base64sha256 = base64sha256("x") }
          })
        }))
      }
    }
  }
}

run "zips_from_a_directory" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    # As long as names may be: the result handler's role gets 64 characters.
    name        = "platform"
    environment = "north-east-production-1"
    packages    = { directory = "fixtures/packages" }
  }
}

run "job_types_of_the_callers" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    default_model_id = "eu.amazon.nova-pro-v1:0"
    job_types = {
      summary = {
        prompt       = "Summarise {{ text }}"
        input_schema = "{\"type\": \"object\", \"required\": [\"text\"]}"
      }
      # All of a type, not a part of it: no system_prompt is left over from the built-in one.
      blog-post = {
        model_id        = "anthropic.claude-3-haiku-20240307-v1:0"
        prompt          = "Our own prompt about {{ subject }}"
        max_tokens      = 100
        temperature     = 0
        timeout_seconds = 30
        guardrail       = { id = "abc123", version = "DRAFT" }
        input_schema    = "{\"type\": \"object\"}"
      }
    }
  }
}

# Every setting of a type, at the edge of what is allowed.
run "what_a_job_type_can_be" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor = { layers = ["arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:7"] }
    job_types = {
      everything = {
        model_id                        = "eu.acme.large-v1:0"
        fallback_model_ids              = ["acme.small-v1:0", "a.b", "a.c", "a.d", "a.e"]
        system_prompt                   = "You extract data."
        prompt                          = "{{ text }}"
        max_tokens                      = 1000
        timeout_seconds                 = 60
        temperature                     = 1
        top_p                           = 0
        stop_sequences                  = ["END", " "]
        effort                          = "xhigh"
        service_tier                    = "flex"
        prompt_cache                    = {}
        guardrail                       = { id = "abc123", version = "1" }
        additional_model_request_fields = "{\"top_k\": 50}"
        request_metadata                = { team = "growth", "cost center" = "" }
        input_schema                    = "{\"type\": \"object\"}"
        output_schema                   = "{\"type\": \"object\", \"required\": [\"price\"]}"
        output                          = { mode = "native", repairs = 0 }
        attachments                     = { media_types = ["image/png", "application/pdf"], max_count = 20, max_bytes = 25000000 }
      }
      defaults = {
        prompt        = "{{ text }}"
        input_schema  = "{}"
        output_schema = "{}"
        output        = {}
        prompt_cache  = { ttl = "1h" }
        attachments   = { media_types = ["text/plain"] }
      }
      own-code = {
        handler       = "acme_jobs.reports:summarize"
        input_schema  = "{}"
        output_schema = "{\"$ref\": \"#/definitions/report\", \"definitions\": {\"report\": {\"type\": \"object\"}}}"
        attachments   = { media_types = ["application/pdf"], max_count = 20 }
      }
    }
  }
}

# Through application inference profiles of the types' own, of every kind of model.
run "own_inference_profiles" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    name              = "acme"
    builtin_job_types = false
    default_model_id  = "eu.acme.large-v1:0"
    job_types = {
      billed = {
        prompt             = "{{ text }}"
        input_schema       = "{}"
        inference_profile  = true
        fallback_model_ids = ["acme.small-v1:0", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.acme.middle-v1:0"]
      }
      a--type-with-a-long-name-of-sixty-four-characters-of-the-billing = { prompt = "{{ text }}", input_schema = "{}", inference_profile = true }
    }
  }

  override_resource {
    override_during = plan

    target = aws_bedrock_inference_profile.this["billed 0"]
    values = { arn = "arn:aws:bedrock:::billed-large" }
  }
  override_resource {
    override_during = plan

    target = aws_bedrock_inference_profile.this["billed 1"]
    values = { arn = "arn:aws:bedrock:::billed-small" }
  }
  override_resource {
    override_during = plan

    target = aws_bedrock_inference_profile.this["billed 2"]
    values = { arn = "arn:aws:bedrock:::billed-middle" }
  }
  override_resource {
    override_during = plan

    target = aws_bedrock_inference_profile.this["a--type-with-a-long-name-of-sixty-four-characters-of-the-billing 0"]
    values = { arn = "arn:aws:bedrock:::long-large" }
  }
}

run "without_builtin_job_types" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    builtin_job_types = false
    default_model_id  = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"
    job_types = {
      summary = {
        prompt       = "Summarise {{ text }}"
        guardrail    = { id = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123", version = "1" }
        input_schema = "{}"
      }
    }
  }
}

# The rest of what api can say, which settings_given's NONE leaves no room for.
run "token_modes" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    api = {
      authorization = "COGNITO_USER_POOLS"
      cognito = {
        user_pool_arns = ["arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_Abc", "arn:aws-us-gov:cognito-idp:us-gov-west-1:123456789012:userpool/us-gov-west-1_Abc"]
        scopes         = ["ai-jobs/use", "https://example.com/jobs"]
      }
      usage_plan      = { keys = { web = { value = "01234567890123456789" }, mobile = {} }, rate_limit = 0.5, burst_limit = 1, quota = { limit = 1, period = "MONTH" } }
      resource_policy = { json = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
      waf             = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1" }
      domain          = { name = "jobs.eu.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", base_path = "v1.0_a-b" }
      cors            = { allow_origins = ["https://app.example.com", "http://localhost:3000"], max_age_seconds = 60 }
    }
    # No waiting, so no time for it.
    jobs_api = { max_wait_seconds = 0, timeout_seconds = 3 }
  }
}

run "events_on_a_bus_of_the_callers" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    events = {
      event_bus              = { arn = "arn:aws:events:eu-west-1:210987654321:event-bus/platform" }
      include_result         = true
      parallelization_factor = 10
    }
    alarms      = { thresholds = { event_delay_seconds = 60 } }
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    require_tls = false
  }
}

run "events_turned_off" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    events = { enabled = false }
  }
}

run "every_policy" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  providers = { aws = aws.known }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    events      = { enabled = true }
    api = {
      resource_policy = { json = <<-EOT
        {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}
      EOT
      }
    }
    job_types = {
      foundation = { prompt = "{{ text }}", model_id = "amazon.nova-lite-v1:0", input_schema = "{\"type\": \"object\"}" }
      profile    = { prompt = "{{ text }}", model_id = "global.amazon.nova-2-lite-v1:0", input_schema = "{\"type\": \"object\"}" }
      billed     = { prompt = "{{ text }}", inference_profile = true, input_schema = "{\"type\": \"object\"}" }
      given = {
        prompt       = "{{ text }}"
        model_id     = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
        guardrail    = { id = "abc123", version = "DRAFT" }
        input_schema = "{\"type\": \"object\"}"
      }
    }
  }
}

run "api_options_without_settings" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    api = {
      authorization     = "CUSTOM"
      lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who" }
      cors              = { allow_origins = ["https://app.example.com"] }
      domain            = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
    }
  }

  assert {
    condition     = output.api_url == "https://jobs.example.com"
    error_message = "The domain does not reach the API."
  }
}
