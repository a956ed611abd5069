# The range of every number that a caller may set, in one table. Each variable that holds numbers has one validation, which
# goes through the variable's rows here and reports all violations at once.

locals {
  # What the functions and docs/openapi.yaml enforce too.
  contract = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))

  retention_range = { min = 60, max = 1209600, unit = "seconds", note = " (14 days), SQS's maximum" }
  queue_ranges = {
    visibility_timeout_seconds    = merge(local.contract.limits.visibility_timeout_seconds, { unit = "seconds", note = " (12 hours), SQS's maximum" })
    message_retention_seconds     = local.retention_range
    dlq_message_retention_seconds = local.retention_range
    receive_wait_time_seconds     = { min = 0, max = 20, unit = "seconds", note = ", SQS's maximum" }
    max_receive_count             = merge(local.contract.limits.max_receive_count, { note = ", SQS's maximum" })
  }

  function_ranges = {
    timeout_seconds      = { min = 1, max = 900, unit = "seconds", note = ", Lambda's maximum" }
    memory_mb            = merge(local.contract.limits.memory_mb, { unit = "megabytes", note = ", Lambda's maximum (3008 in a new account)" })
    reserved_concurrency = { min = 1, note = ", or null to reserve nothing" }
  }

  worker_ranges = merge(local.function_ranges, {
    batch_size              = merge(local.contract.limits.batch_size, { note = ", Lambda's maximum" })
    batching_window_seconds = merge(local.contract.limits.batching_window_seconds, { unit = "seconds", note = ", Lambda's maximum" })
    maximum_concurrency     = merge(local.contract.limits.maximum_concurrency, { note = ", the range that Lambda accepts" })
    reserved_concurrency = merge(local.function_ranges.reserved_concurrency, {
      hint = "To stop the function, set enabled = false: with a reserve of 0, every received message would end up in the dead-letter queue."
    })
  })

  token_range = merge(local.contract.limits.daily_tokens, { unit = "tokens", note = ", the most that the processor accepts, or null for no limit" })

  # Whole numbers. A row without max has no upper bound; within is the object that the number is in; unit, note, and hint only word the
  # message.
  ranges = {
    request_queue  = local.queue_ranges
    response_queue = local.queue_ranges
    processor      = local.worker_ranges
    result_handler = local.worker_ranges

    jobs_api = merge(local.function_ranges, {
      timeout_seconds = { min = 1, max = 29, unit = "seconds", note = ", because API Gateway does not wait any longer" }
      max_wait_seconds = merge(local.contract.limits.wait_seconds, {
        unit = "seconds", note = ", because API Gateway gives up after 29 seconds", hint = "To turn waiting off, use 0."
      })
      max_concurrent_waits = merge(local.contract.limits.concurrent_waits, {
        note = ", or null for no limit", hint = "To turn waiting off, set max_wait_seconds = 0."
      })
    })

    reconciler = merge(local.function_ranges, {
      interval_minutes = { min = 1, max = 60, unit = "minutes", hint = "A crashed job shows as failed up to one interval later." }
      timeout_seconds = {
        min  = 30, max = 900, unit = "seconds", note = ", Lambda's maximum"
        hint = "The reconciler stops ${local.contract.margins.reconciler.end_seconds} seconds before its timeout."
      }
    })

    api = {
      throttling_burst_limit = { min = 1, hint = "With 0 the API would reject every request." }
    }

    events = { parallelization_factor = { min = 1, max = 10, note = ", the range that Lambda accepts" } }

    jobs = {
      retention_days           = merge(local.contract.limits.retention_days, { unit = "days", note = " (ten years), the most that the functions accept" })
      default_deadline_seconds = merge(local.contract.limits.deadline_seconds, { unit = "seconds", note = " (14 days), the longest that a queue keeps a job" })
      max_backoff_seconds      = merge(local.contract.limits.max_backoff_seconds, { unit = "seconds", note = ", the longest that SQS delays a message" })
      model_access_wait_seconds = merge(local.contract.limits.model_access_wait_seconds, {
        unit = "seconds", hint = "With 0 a job fails as soon as its model denies access."
      })
      config_max_age_seconds = merge(local.contract.limits.config_max_age_seconds, {
        unit = "seconds", hint = "AppConfig does not allow a shorter poll interval."
      })
    }

    budget = { daily_tokens_per_user = local.token_range, daily_tokens_total = local.token_range }

    job_types = {
      max_tokens = merge(local.contract.limits.model_max_tokens, {
        hint = "Keep it as small as the longest useful answer: the model's quota reserves it at every start."
      })
      timeout_seconds = merge(local.contract.limits.model_timeout_seconds, { unit = "seconds" })
      repairs = merge(local.contract.limits.output_repairs, {
        within = "output", note = ", because each is another model call within the same job"
      })
      max_count = merge(local.contract.limits.attachment_count, { within = "attachments", unit = "files" })
      max_bytes = merge(local.contract.limits.attachment_bytes, { within = "attachments", unit = "bytes" })
    }
  }

  limits = { for variable, rows in local.ranges : variable => { for name, row in rows : name => {
    min    = row.min
    max    = try(row.max, null)
    within = try(row.within, null)
    path   = join(".", compact([try(row.within, null), name]))
    rule = join("", [
      "Use a whole number", try(" of ${row.unit}", ""), " from ${row.min}", try(" to ${row.max}", ""), try(row.note, ""), ".", try(" ${row.hint}", ""),
    ])
  } } }

  # What else a job type may say. Lists and maps with more values than these are rejected by Bedrock or by the workers.
  job_type_fractions = { temperature = local.contract.limits.model_temperature, top_p = local.contract.limits.model_top_p }
  job_type_lengths = {
    fallback_model_ids = local.contract.limits.fallback_models
    stop_sequences     = local.contract.limits.stop_sequences
    request_metadata   = local.contract.limits.request_metadata
  }
  job_type_choices = { for path, choice in {
    "effort"                  = { values = local.contract.model_settings.efforts, otherwise = ", or omit it to leave it to the model" }
    "service_tier"            = { values = local.contract.model_settings.service_tiers, otherwise = ", or omit it for the default tier" }
    "prompt_cache.ttl"        = { values = local.contract.model_settings.prompt_cache_ttls, otherwise = "" }
    "output.mode"             = { values = local.contract.model_settings.output_modes, otherwise = ", or omit it for the one that the model has" }
    "attachments.media_types" = { values = keys(local.contract.media_types), otherwise = "" }
    } : path => {
    values = choice.values
    within = length(split(".", path)) == 1 ? null : split(".", path)[0]
    name   = reverse(split(".", path))[0]
    rule   = "one of ${join(", ", choice.values)}${choice.otherwise}"
  } }

  vpc_ids = {
    subnet_ids         = { prefix = "subnet", max = 16, advice = ", ideally from several availability zones" }
    security_group_ids = { prefix = "sg", max = 5, advice = "; the groups must allow outbound TCP 443" }
  }

  # What a function needs besides the model call or the wait. The processor keeps end_seconds back for sending results, and does
  # not start a job that does not fit into what is left; start_seconds covers the function's start and the claim of the job.
  job_timeout_margin_seconds = sum(values(local.contract.margins.processor))
  wait_margin_seconds        = sum(values(local.contract.margins.jobs_api))

  # Thresholds of alarms may be fractions; zero says whether 0 itself is allowed.
  count      = { min = 0, max = null, zero = true, rule = "Use 0 or more: nothing that is counted goes below 0, so the alarm would never be silent." }
  percentage = { min = 0, max = 100, zero = true, rule = "Use a percentage from 0 to 100." }
  share      = { min = 0, max = 100, zero = false, rule = "Use a percentage above 0, up to 100." }
  threshold_limits = {
    request_queue_depth        = local.count
    oldest_message_age_seconds = local.count
    processing_rate_jobs_per_minute = {
      min = 0, max = null, zero = false, rule = "Use more than 0, or a service that stands still would be fast enough."
    }
    waiting_jobs        = local.count
    failed_jobs_percent = local.percentage
    failed_jobs_minimum = {
      min = 1, max = null, zero = false, rule = "Use 1 or more: it is the number of failed jobs below which their percentage means nothing."
    }
    oldest_open_job_seconds = local.count
    function_errors         = local.count
    duration_percent        = local.share
    concurrency_percent     = local.share
    api_error_percent       = local.percentage
    api_latency_ms          = local.count
    table_throttles         = local.count
    event_delay_seconds     = local.count
  }
}
