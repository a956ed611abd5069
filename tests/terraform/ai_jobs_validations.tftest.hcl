# Every rule of the composition refuses what breaks it. A run breaks one rule of each variable in expect_failures, so
# that no rule hides behind another; variables whose rules do not look at each other share a run, because a run costs a
# second. What is just allowed is in plans/ai_jobs.tftest.hcl (settings_given).

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
}

variables {
  environment = "test"
  packages    = { s3 = { bucket = "releases", manifest = "fixtures/packages/manifest.json" } }
}

# ---------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------

run "name_with_capitals" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    name = "Acme"
  }

  expect_failures = [var.name]
}

run "environment_with_underscore" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    environment = "pre_prod"
  }

  expect_failures = [var.environment]
}

run "name_too_long" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    environment = "north-east-preproduction"
    name        = "platform" # the result handler's role gets 65 characters, 64 is the most
  }

  expect_failures = [var.name]
}

# ---------------------------------------------------------------------------------------------------
# Queues, tags, packages, security
# ---------------------------------------------------------------------------------------------------

run "queue_rules_1" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { visibility_timeout_seconds = 43201 } # above 12 hours
    response_queue = { visibility_timeout_seconds = 900.5 } # no whole seconds
    tags           = { environment = "prd" }                # differs from Environment in case only
    packages       = {}                                     # neither directory nor s3
    kms_key_arn    = "alias/jobs"                           # no ARN
  }

  expect_failures = [var.request_queue, var.response_queue, var.tags, var.packages, var.kms_key_arn]
}

# Lambda itself refuses a queue whose messages come back while the function still works on them.
run "queue_rules_2" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { visibility_timeout_seconds = 899 }                                                                            # below the processor's timeout
    response_queue = { visibility_timeout_seconds = 29 }                                                                             # below the result handler's timeout
    tags           = { Team = "a", team = "b" }                                                                                      # differ in case only
    packages       = { directory = "fixtures/packages", s3 = { bucket = "releases", manifest = "fixtures/packages/manifest.json" } } # both
  }

  expect_failures = [var.request_queue, var.response_queue, var.tags, var.packages]
}

# R-P5: Lambda takes zips only from its own region; here, it is eu-west-1.
run "a_bucket_in_another_region" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    packages = { s3 = { bucket = "releases", region = "us-east-1", manifest = "fixtures/packages/manifest.json" } }
  }

  expect_failures = [var.packages]
}

run "queue_rules_3" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { message_retention_seconds = 59 }                          # below a minute
    response_queue = { message_retention_seconds = 60.5 }                        # no whole seconds
    packages       = { s3 = { bucket = "releases", manifest = "missing.json" } } # no such file
    iam            = { permissions_boundary_arn = "boundary" }                   # no ARN
  }

  expect_failures = [var.request_queue, var.response_queue, var.packages, var.iam]
}

run "queue_rules_4" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { message_retention_seconds = 60, dlq_message_retention_seconds = 60.5 } # no whole seconds
    response_queue = { dlq_message_retention_seconds = 1209601 }                              # above 14 days
    iam            = { role_path = "platform" }                                               # no slashes
  }

  expect_failures = [var.request_queue, var.response_queue, var.iam]
}

# A dead-lettered message keeps the time it was first sent: it could expire on arrival.
run "queue_rules_5" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { dlq_message_retention_seconds = 1209599 }       # below the queue's
    response_queue = { dlq_message_retention_seconds = 1209599 }       # below the queue's
    packages       = { s3 = { bucket = "releases", manifest = null } } # no zips without a manifest
  }

  expect_failures = [var.request_queue, var.response_queue, var.packages]
}

run "queue_rules_6" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { receive_wait_time_seconds = -1 }
    response_queue = { receive_wait_time_seconds = 21 }
  }

  expect_failures = [var.request_queue, var.response_queue]
}

run "queue_rules_7" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { max_receive_count = 0 }
    response_queue = { max_receive_count = 1001 }
  }

  expect_failures = [var.request_queue, var.response_queue]
}

run "queue_rules_8" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { receive_wait_time_seconds = 0.5 } # no whole seconds
    response_queue = { max_receive_count = 2.5 }         # no whole number
  }

  expect_failures = [var.request_queue, var.response_queue]
}

# ---------------------------------------------------------------------------------------------------
# Functions
# ---------------------------------------------------------------------------------------------------

run "function_rules_1" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    request_queue  = { visibility_timeout_seconds = 1000 }
    processor      = { timeout_seconds = 901 }
    result_handler = { timeout_seconds = 0 }
    jobs_api       = { timeout_seconds = 30 } # API Gateway waits 29
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_2" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    response_queue = { visibility_timeout_seconds = 1000 }
    processor      = { timeout_seconds = 899.5 }
    result_handler = { timeout_seconds = 901 }
    jobs_api       = { timeout_seconds = 0, max_wait_seconds = 0 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_3" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { memory_mb = 127 }
    result_handler = { memory_mb = 10241 }
    jobs_api       = { memory_mb = 512.5 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_4" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { batch_size = 0 }
    result_handler = { batch_size = 10001, batching_window_seconds = 1 }
    jobs_api       = { memory_mb = 127 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_5" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { batching_window_seconds = -1 }
    result_handler = { batching_window_seconds = 301 }
    jobs_api       = { memory_mb = 10241 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_6" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { batch_size = 11, batching_window_seconds = 0 } # more than 10 want a window
    result_handler = { batch_size = 11 }                              # the same; 0 is the default
    jobs_api       = { timeout_seconds = 9.5, max_wait_seconds = 0 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_7" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { maximum_concurrency = 1 }
    result_handler = { maximum_concurrency = 1001 }
    jobs_api       = { max_wait_seconds = -1 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

# What Lambda throttles for want of a reserve ends in the dead-letter queue.
run "function_rules_8" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { maximum_concurrency = 3, reserved_concurrency = 2 }
    result_handler = { maximum_concurrency = 3, reserved_concurrency = 2 }
    jobs_api       = { reserved_concurrency = 0 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_9" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { reserved_concurrency = 10.5 }
    result_handler = { reserved_concurrency = 10.5 }
    jobs_api       = { reserved_concurrency = 1.5 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_10" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { batch_size = 1.5 }
    result_handler = { batching_window_seconds = 1.5 }
    jobs_api       = { max_wait_seconds = 1.5 }
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

run "function_rules_11" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor      = { maximum_concurrency = 2.5 }
    result_handler = { timeout_seconds = 28.5 }
    jobs_api       = { timeout_seconds = 28 } # a wait of 25 and 4 for the rest
  }

  expect_failures = [var.processor, var.result_handler, var.jobs_api]
}

# ---------------------------------------------------------------------------------------------------
# Job types, logs, API, jobs
# ---------------------------------------------------------------------------------------------------

run "job_type_rules_1" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { Summary = { prompt = "{{ text }}", input_schema = "{}" } } # capitals in the name
    logs      = { level = "TRACE" }
    api       = { authorization = "COGNITO" }
    jobs      = { retention_days = 0 }
  }

  expect_failures = [var.job_types, var.logs, var.api, var.jobs]
}

run "job_type_rules_2" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { a2345678901234567890123456789012345678901234567890123456789012345 = { prompt = "{{ text }}", input_schema = "{}" } } # 65 characters
    logs      = { retention_days = 2 }                                                                                                 # not one of the numbers that CloudWatch takes
    api       = { stage_name = "v 1" }
    jobs      = { retention_days = 1.5 }
  }

  expect_failures = [var.job_types, var.logs, var.api, var.jobs]
}

run "job_type_rules_3" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    builtin_job_types = false
    job_types         = {}                            # no job type at all
    api               = { throttling_rate_limit = 0 } # refuses everything
    jobs              = { default_deadline_seconds = 0 }
  }

  expect_failures = [var.job_types, var.api, var.jobs]
}

run "job_type_rules_4" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", model_id = "nova lite", input_schema = "{}" } }
    api       = { throttling_burst_limit = 0 }         # refuses everything
    jobs      = { default_deadline_seconds = 1209601 } # above 14 days
  }

  expect_failures = [var.job_types, var.api, var.jobs]
}

run "job_type_rules_5" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = " ", input_schema = "{}" } } # empty
    api       = { throttling_burst_limit = 1.5 }
    jobs      = { default_deadline_seconds = 1.5 }
  }

  expect_failures = [var.job_types, var.api, var.jobs]
}

run "job_type_rules_6" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", system_prompt = "", input_schema = "{}" } }
    jobs      = { max_backoff_seconds = 0 }
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_7" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", max_tokens = 0, input_schema = "{}" } }
    jobs      = { max_backoff_seconds = 901 } # SQS delays no longer than 900
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_8" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", max_tokens = 1.5, input_schema = "{}" } }
    jobs      = { max_backoff_seconds = 1.5 }
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_9" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", temperature = 1.1, input_schema = "{}" } }
    jobs      = { config_max_age_seconds = 14 } # AppConfig wants 15
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_10" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", temperature = -0.1, input_schema = "{}" } }
    jobs      = { config_max_age_seconds = 3601 }
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_11" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", timeout_seconds = 0, input_schema = "{}" } }
    jobs      = { config_max_age_seconds = 15.5 }
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_12" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", timeout_seconds = 1.5, input_schema = "{}" } }
  }

  expect_failures = [var.job_types]
}

run "job_type_rules_13" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    jobs      = { model_access_wait_seconds = -1 }
    job_types = { summary = { prompt = "{{ text }}", guardrail = { id = "My Guardrail", version = "1" }, input_schema = "{}" } }
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_14" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    jobs      = { model_access_wait_seconds = 3601 }
    job_types = { summary = { prompt = "{{ text }}", guardrail = { id = "abc123", version = "latest" }, input_schema = "{}" } }
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_15" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    jobs      = { model_access_wait_seconds = 1.5 }
    job_types = { summary = { prompt = "{{ text }}", input_schema = "{type: object}" } } # no JSON
  }

  expect_failures = [var.job_types, var.jobs]
}

run "job_type_rules_16" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", input_schema = "[]" } } # no JSON object
  }

  expect_failures = [var.job_types]
}

run "default_model_with_spaces" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    default_model_id = "nova lite"
  }

  expect_failures = [var.default_model_id]
}

# 15 s before the function's own 900 results could no longer be sent: 884 is the most.
run "job_type_timeout_within_the_margin" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", timeout_seconds = 885, input_schema = "{}" } }
    processor = { timeout_seconds = 900 }
  }

  expect_failures = [var.processor]
}

# R-A5
run "handler_without_a_layer" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { own-code = { handler = "acme_jobs.reports:summarize", input_schema = "{}" } }
  }

  expect_failures = [var.processor]
}

# R-A5
run "layer_without_a_version" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor = { layers = ["arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs"] }
  }

  expect_failures = [var.processor]
}

# R-A5
run "six_layers" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor = { layers = [for number in range(6) : "arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:${number + 1}"] }
  }

  expect_failures = [var.processor]
}

# R-A1: twice 443 seconds, for the call and the one that may repair its output.
run "repairs_that_take_too_long" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", timeout_seconds = 443, input_schema = "{}", output_schema = "{}" } }
  }

  expect_failures = [var.processor]
}

# R-A5: it has no repairs, but the timeout is for all of it.
run "handler_that_takes_too_long" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor = { layers = ["arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:1"] }
    job_types = { own-code = { handler = "acme_jobs.reports:summarize", timeout_seconds = 885, input_schema = "{}" } }
  }

  expect_failures = [var.processor]
}

# blog-post has 180 s, so 196 is the least.
run "processor_timeout_too_short_for_a_builtin_job_type" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    processor = { timeout_seconds = 195 }
  }

  expect_failures = [var.processor]
}

# ---------------------------------------------------------------------------------------------------
# Reconciler, budget, events, alarms, prices, VPC, waits
# ---------------------------------------------------------------------------------------------------

run "operations_rules_1" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler   = { interval_minutes = 0 }
    budget       = { daily_tokens_per_user = 0 }
    events       = { parallelization_factor = 0 }
    alarms       = { topic_arns = ["ops"] }                            # a name, and no ARN
    vpc          = { subnet_ids = [], security_group_ids = ["sg-0a"] } # no subnet
    model_prices = { "m" = { input = 1, output = -1 } }                # negative
    jobs_api     = { max_concurrent_waits = 10001 }                    # at most ten thousand
  }

  expect_failures = [var.reconciler, var.budget, var.events, var.alarms, var.vpc, var.model_prices, var.jobs_api]
}

run "operations_rules_2" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler   = { interval_minutes = 61 }
    budget       = { daily_tokens_total = 0 }
    events       = { parallelization_factor = 11 }
    alarms       = { page_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:pages.fifo"] }               # CloudWatch takes no FIFO topic
    vpc          = { subnet_ids = ["private-a"], security_group_ids = ["sg-0a"] }                        # no id
    model_prices = { for n in range(60) : "a-model-with-a-long-name-${n}" => { input = 1, output = 1 } } # more than a function's environment holds
    jobs_api     = { max_concurrent_waits = 1.5 }                                                        # no part of a caller
  }

  expect_failures = [var.reconciler, var.budget, var.events, var.alarms, var.vpc, var.model_prices, var.jobs_api]
}

run "operations_rules_3" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { interval_minutes = 1.5 }
    budget     = { daily_tokens_per_user = 100000.5 }
    events     = { parallelization_factor = 1.5 }
    alarms     = { topic_arns = ["arn:aws:sns:eu-west-1:123456789012:chat"], email_addresses = ["ops@example.com"] } # mails go to the module's own topic
    vpc        = { subnet_ids = ["subnet-0a"], security_group_ids = [] }                                             # no security group
    jobs_api   = { max_concurrent_waits = 0 }                                                                        # that is max_wait_seconds = 0
  }

  expect_failures = [var.reconciler, var.budget, var.events, var.alarms, var.vpc, var.jobs_api]
}

run "operations_rules_4" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { timeout_seconds = 29 }
    budget     = { daily_tokens_total = 100000.5 }
    alarms     = { page_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:chat"], page_email_addresses = ["ops@example.com"] } # mails go to the module's own topic
    vpc        = { subnet_ids = ["subnet-0a"], security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5", "sg-6"] }         # Lambda takes five
  }

  expect_failures = [var.reconciler, var.budget, var.alarms, var.vpc]
}

run "operations_rules_5" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { timeout_seconds = 901 }
    # No job of a type could ever set its tokens aside.
    budget            = { daily_tokens_per_user = 99 }
    job_types         = { big = { prompt = "{{ text }}", max_tokens = 100, input_schema = "{}" } }
    builtin_job_types = false
    alarms            = { email_addresses = ["ops@example"] } # no address
    events            = { event_bus = { arn = "platform" } }  # a name, and no ARN
  }

  expect_failures = [var.reconciler, var.budget, var.alarms, var.events]
}

run "operations_rules_6" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler        = { timeout_seconds = 30.5 }
    budget            = { daily_tokens_total = 99 }
    job_types         = { big = { prompt = "{{ text }}", max_tokens = 100, input_schema = "{}" } }
    builtin_job_types = false
    alarms            = { topic_kms_key_arn = "alias/aws/sns" } # no ARN
  }

  expect_failures = [var.reconciler, var.budget, var.alarms]
}

run "operations_rules_7" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { memory_mb = 127 }
    # The built-in types count too.
    budget = { daily_tokens_per_user = 100 }
    alarms = { thresholds = { request_queue_depth = -1 } } # negative
  }

  expect_failures = [var.reconciler, var.budget, var.alarms]
}

run "operations_rules_8" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { memory_mb = 10241 }
    budget     = { daily_tokens_per_user = 100001, daily_tokens_total = 100000 } # no user could reach theirs
    jobs       = { retention_days = 3651 }                                       # the functions take ten years at most
    alarms     = { thresholds = { processing_rate_jobs_per_minute = 0 } }        # no rate at all
  }

  expect_failures = [var.reconciler, var.budget, var.jobs, var.alarms]
}

run "operations_rules_9" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { memory_mb = 512.5 }
    budget     = { daily_tokens_per_user = 1000000000000001 }
    alarms     = { thresholds = { failed_jobs_minimum = 0 } } # judged by no job
  }

  expect_failures = [var.reconciler, var.budget, var.alarms]
}

run "operations_rules_10" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { reserved_concurrency = 0 }
    budget     = { daily_tokens_total = 1000000000000001 }
    alarms     = { thresholds = { failed_jobs_percent = 101 } } # more than all
  }

  expect_failures = [var.reconciler, var.budget, var.alarms]
}

run "operations_rules_11" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    reconciler = { reserved_concurrency = 1.5 }
    alarms     = { thresholds = { duration_percent = 0 } } # always exceeded
  }

  expect_failures = [var.reconciler, var.alarms]
}

run "operations_rules_12" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    alarms = { thresholds = { concurrency_percent = 0 } } # always exceeded
  }

  expect_failures = [var.alarms]
}

# ---------------------------------------------------------------------------------------------------
# Schemas and bounds of job types
# ---------------------------------------------------------------------------------------------------

# Infinity for whoever reads it as a float.
run "max_tokens_beyond_bounds" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", max_tokens = 1e400, input_schema = "{}" } }
  }

  expect_failures = [var.job_types]
}

# No input satisfies it.
run "input_schema_of_no_object" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", input_schema = jsonencode({ type = ["array", "string"] }) } }
  }

  expect_failures = [var.job_types]
}

# Of any scheme.
run "input_schema_that_would_be_fetched" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", input_schema = jsonencode({ properties = { a = { "$ref" = "ftp://h/x" } } }) } }
  }

  expect_failures = [var.job_types]
}

# The workers could not compile it.
run "input_schema_of_ninety_levels" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = { summary = { prompt = "{{ text }}", input_schema = jsonencode(jsondecode("${join("", [for n in range(90) : "{\"properties\":{\"a\":"])}{}${join("", [for n in range(90) : "}}"])}")) } }
  }

  expect_failures = [var.job_types]
}

# What Python accepts must not be refused: look-ahead (RE2 has none), references by an id, texts full of brackets.
run "input_schemas_that_work" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = {
      lookahead = { prompt = "{{ a }}", input_schema = jsonencode({ properties = { a = { pattern = "^(?!x)a$" } } }) }
      by-type   = { prompt = "{{ a }}", input_schema = jsonencode({ type = ["object", "null"] }) }
      by-ref    = { prompt = "{{ a }}", input_schema = jsonencode({ "$ref" = "#/definitions/a", type = "string", definitions = { a = {} } }) }
      by-id     = { prompt = "{{ a }}", input_schema = jsonencode({ id = "http://h/x", properties = { a = { "$ref" = "http://h/x#/definitions/a" } }, definitions = { a = {} } }) }
      texts     = { prompt = "{{ a }}", input_schema = jsonencode({ description = join("", [for n in range(200) : "{\"$ref\":\"http://h/x\""]) }) }
    }
  }

  assert {
    condition     = length(output.job_types) == 9
    error_message = "A schema that the workers take is refused at plan, or left out."
  }
}
