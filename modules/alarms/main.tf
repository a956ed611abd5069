# All alarms in one table, so that they can be read side by side and tested as a whole (tests/alarms). A row has either one metric,
# or several with an expression over them.
#
# The conditions depend on the source of the data:
# - SQS reports once a minute, and stops reporting a queue that has been idle for hours.
# - AWS's counts (errors, throttles) exist only if something was counted.
# - The functions write our own metrics; with every run, the reconciler writes those that expressions need.

locals {
  contract = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))

  period = { minute = 60, five_minutes = 300 }

  # A job whose worker crashes returns to the queue within 15 minutes, and one model call may take as long: neither alone is an outage.
  # The first and the last period count only in part.
  standstill_periods = 5

  # Expressions use FILL, because an expression over missing data is missing or wrong.
  sqs = {
    for key, names in var.queues : key => {
      for id, metric in {
        visible   = "ApproximateNumberOfMessagesVisible"
        in_flight = "ApproximateNumberOfMessagesNotVisible"
        delayed   = "ApproximateNumberOfMessagesDelayed"
        } : id => {
        namespace = "AWS/SQS", name = metric, statistic = "Maximum", dimensions = { QueueName = names.name }
      }
    }
  }

  own = {
    for id, metric in {
      completed = "JobsCompleted", failed = "JobsFailed", stalled = "JobsStalled", budget_waits = "BudgetWaits",
      operator  = "OperatorErrors", exhausted = "ExhaustedErrors", crash = "CrashErrors",
      } : id => {
      namespace = var.metrics_namespace, name = metric, statistic = "Sum", dimensions = { service = "ai-jobs" }
    }
  }

  table_throttles = {
    for pair in setproduct(["read", "write"], ["table", "by_user", "open_jobs"]) : join("_", pair) => {
      namespace = "AWS/DynamoDB"
      name      = pair[0] == "read" ? "ReadThrottleEvents" : "WriteThrottleEvents"
      statistic = "Sum"
      dimensions = merge(
        { TableName = var.table_name },
        pair[1] == "table" ? {} : { GlobalSecondaryIndexName = local.contract.table["${pair[1]}_index"] },
      )
    }
  }

  api_dimensions = { ApiName = var.api.name, Stage = var.api.stage_name }

  dlq_alarms = merge([
    for key, queue in var.dead_letter_queues : {
      "${key}-dlq-messages" = {
        meaning = "${queue.queue_name} holds messages: ${queue.meaning} The alarm stays on until the queue is empty."
        metrics = { visible = {
          namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", dimensions = { QueueName = queue.queue_name }
        } }
        comparison = "GreaterThanThreshold"
        threshold  = 0
        period     = local.period.minute
        # The first message fires the alarm. But every few minutes, the reconciler briefly hides the messages that it looks at, and a
        # minute that looks empty for that reason must not end the alarm and fire it again.
        periods = 5, to_alarm = 1
        missing = "notBreaching", why_missing = "an idle queue reports nothing"
      }

      # An alarm in state ALARM does not fire again, so the next message needs an alarm of its own. Hidden messages count; otherwise each
      # look at the queue would seem to bring new ones. A minute that SQS did not report counts like the one before it; otherwise all
      # messages would seem to arrive when reporting resumes.
      "${key}-dlq-growth" = {
        meaning = "More messages have arrived in ${queue.queue_name}: ${queue.meaning} The alarm ends by itself when no more arrive."
        metrics = {
          for id, metric in { visible = "ApproximateNumberOfMessagesVisible", in_flight = "ApproximateNumberOfMessagesNotVisible" } : id => {
            namespace                 = "AWS/SQS", name = metric, statistic = "Maximum", dimensions = { QueueName = queue.queue_name }
          }
        }
        expression = "DIFF(FILL(visible, REPEAT) + FILL(in_flight, REPEAT))"
        comparison = "GreaterThanThreshold"
        threshold  = 0
        period     = local.period.minute
        periods    = 5, to_alarm = 1
        missing    = "notBreaching", why_missing = "an idle queue reports nothing"
      }
    }
  ]...)

  queue_alarms = merge(
    {
      "request-queue-depth" = {
        meaning    = "More than ${var.thresholds.request_queue_depth} jobs wait in ${var.queues.request.name}: they arrive faster than they are processed, or the worker stands still."
        metrics    = { visible = local.sqs.request.visible }
        comparison = "GreaterThanThreshold"
        threshold  = var.thresholds.request_queue_depth
        period     = local.period.minute
        periods    = 5, to_alarm = 5
        missing    = "notBreaching", why_missing = "an idle queue reports nothing"
      }

      "jobs-waiting" = {
        meaning = "For 15 minutes, more than ${var.thresholds.waiting_jobs} jobs have been waiting as delayed copies: the model throttles them, something that they need is down, or the token budget is used up."
        metrics = { delayed = merge(local.sqs.request.delayed, { statistic = "Minimum" }) }

        comparison = "GreaterThanThreshold"
        threshold  = var.thresholds.waiting_jobs
        period     = local.period.five_minutes
        periods    = 3, to_alarm = 3
        missing    = "notBreaching", why_missing = "an idle queue reports nothing"
      }

      # Deletions do not measure completed work: a throttled job's original is deleted too, once its delayed copy is sent.
      "processing-rate" = {
        meaning = "There is work, but fewer than ${var.thresholds.processing_rate_jobs_per_minute} jobs per minute end: the workers stand still, or every job waits."
        metrics = merge(
          { for id, metric in local.sqs.request : "request_${id}" => metric },
          { for id, metric in local.sqs.response : "response_${id}" => metric },
          { completed = local.own.completed, failed = local.own.failed },
        )
        # Without work, the rate counts as just high enough.
        expression = join("", [
          "IF(",
          join(" + ", [for id in ["request_visible", "request_in_flight", "request_delayed", "response_visible", "response_in_flight", "response_delayed"] : "FILL(${id}, 0)"]),
          " > 0, (FILL(completed, 0) + FILL(failed, 0)) / ${local.period.five_minutes / 60}, ${var.thresholds.processing_rate_jobs_per_minute})",
        ])
        comparison = "LessThanThreshold"
        threshold  = var.thresholds.processing_rate_jobs_per_minute
        period     = local.period.five_minutes
        periods    = local.standstill_periods, to_alarm = local.standstill_periods
        missing    = "notBreaching", why_missing = "an idle service reports nothing"
      }

      # Pages, so it considers only jobs that nothing holds back. Delayed copies wait on purpose, for a throttled model, or for midnight,
      # when the token budget is reset; if they wait too long, oldest-open-job reports it.
      "standstill" = {
        meaning = "There are jobs to work on, but not one has ended for ${local.standstill_periods * local.period.five_minutes / 60} minutes: the workers stand still, or results are not written."
        metrics = merge(
          { for id, metric in local.sqs.request : "request_${id}" => metric if id != "delayed" },
          { for id, metric in local.sqs.response : "response_${id}" => metric if id != "delayed" },
          { completed = local.own.completed, failed = local.own.failed },
        )
        expression = join("", [
          "IF(",
          join(" + ", [for id in ["request_visible", "request_in_flight", "response_visible", "response_in_flight"] : "FILL(${id}, 0)"]),
          " > 0, FILL(completed, 0) + FILL(failed, 0), 1)",
        ])
        comparison = "LessThanThreshold"
        threshold  = 1
        period     = local.period.five_minutes
        periods    = local.standstill_periods, to_alarm = local.standstill_periods
        missing    = "notBreaching", why_missing = "an idle service reports nothing"
      }

      "budget-waits" = {
        meaning    = "Jobs wait because the day's token budget is used up; they continue at midnight UTC, or fail at their deadline."
        metrics    = { budget_waits = local.own.budget_waits }
        comparison = "GreaterThanThreshold"
        threshold  = 0
        # A waiting job asks again within max_backoff_seconds, which is 15 minutes at most.
        period  = 900
        periods = 1, to_alarm = 1
        missing = "notBreaching", why_missing = "it is counted when it happens"
      }
    },
    {
      for key, queue in var.queues : "${key}-queue-age" => {
        meaning = "The oldest message of ${queue.name} is older than ${var.thresholds.oldest_message_age_seconds} s: ${queue.meaning}"
        metrics = { age = {
          namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", statistic = "Maximum", dimensions = { QueueName = queue.name }
        } }
        comparison = "GreaterThanThreshold"
        threshold  = var.thresholds.oldest_message_age_seconds
        period     = local.period.minute
        periods    = 1, to_alarm = 1
        missing    = "notBreaching", why_missing = "an idle queue reports nothing"
      }
    },
  )

  lambda = {
    for key, function in var.functions : key => {
      for id, metric in {
        errors = ["Errors", "Sum"], throttles = ["Throttles", "Sum"], duration = ["Duration", "Maximum"], concurrency = ["ConcurrentExecutions", "Maximum"]
        } : id => {
        namespace = "AWS/Lambda", name = metric[0], statistic = metric[1], dimensions = { FunctionName = function.name }
      }
    }
  }

  function_alarms = merge([
    for key, function in var.functions : merge(
      {
        "${key}-errors" = {
          meaning    = "${function.name} failed: it was killed, ran out of memory or time, or raised an unexpected error. ${function.errors_mean}"
          metrics    = { errors = local.lambda[key].errors }
          comparison = "GreaterThanThreshold"
          threshold  = var.thresholds.function_errors
          period     = local.period.five_minutes
          periods    = 1, to_alarm = 1
          missing    = "notBreaching", why_missing = "a function that does not run does not fail; processing-rate watches whether work gets done"
        }

        "${key}-throttles" = {
          meaning    = "Lambda throttles ${function.name}: the account's or the function's concurrency is used up."
          metrics    = { throttles = local.lambda[key].throttles }
          comparison = "GreaterThanThreshold"
          threshold  = 0
          period     = local.period.five_minutes
          periods    = 3, to_alarm = 2
          missing    = "notBreaching", why_missing = "a function that does not run is not throttled"
        }

        "${key}-duration" = {
          meaning    = "An invocation of ${function.name} came close to its timeout of ${function.timeout_seconds} s, when Lambda kills it."
          metrics    = { duration = local.lambda[key].duration }
          comparison = "GreaterThanThreshold"
          threshold  = floor(function.timeout_seconds * 1000 * var.thresholds.duration_percent / 100)
          period     = local.period.five_minutes
          periods    = 1, to_alarm = 1
          missing    = "notBreaching", why_missing = "a function that does not run takes no time"
        }
      },
      { for id, alarm in {
        "${key}-concurrency" = {
          meaning    = "For half an hour, ${function.name} has been running close to its limit of ${coalesce(function.concurrency_limit, 0)} concurrent executions: the backlog can't shrink any faster."
          metrics    = { concurrency = local.lambda[key].concurrency }
          comparison = "GreaterThanOrEqualToThreshold"
          threshold  = max(1, floor(coalesce(function.concurrency_limit, 0) * var.thresholds.concurrency_percent / 100))
          period     = local.period.five_minutes
          periods    = 6, to_alarm = 6
          missing    = "notBreaching", why_missing = "a function that does not run uses nothing of its limit"
        }
      } : id => alarm if function.concurrency_limit != null },
      { for id, alarm in {
        "${key}-delay" = {
          meaning = "The records that ${function.name} reads from its stream are older than ${var.thresholds.event_delay_seconds} s: it can't pass them on, or can't keep up. A record that is 23 hours old goes to the on-failure queue; until then nothing is lost."
          metrics = { age = {
            namespace = "AWS/Lambda", name = "IteratorAge", statistic = "Maximum", dimensions = { FunctionName = function.name }
          } }
          comparison = "GreaterThanThreshold"
          # CloudWatch reports milliseconds.
          threshold = var.thresholds.event_delay_seconds * 1000
          period    = local.period.five_minutes
          periods   = 1, to_alarm = 1
          missing   = "notBreaching", why_missing = "a stream with nothing to read has no age"
        }
      } : id => alarm if function.reads_stream },
    )
  ]...)

  service_alarms = {
    "api-errors" = {
      meaning = "More than ${var.thresholds.api_error_percent} % of the API's requests (and at least 5 in five minutes) end in a 5xx."
      metrics = {
        errors   = { namespace = "AWS/ApiGateway", name = "5XXError", statistic = "Sum", dimensions = local.api_dimensions }
        requests = { namespace = "AWS/ApiGateway", name = "Count", statistic = "Sum", dimensions = local.api_dimensions }
      }
      # One failed request on a quiet night is not an outage.
      expression = "IF(FILL(errors, 0) >= 5, 100 * FILL(errors, 0) / FILL(requests, 1), 0)"
      comparison = "GreaterThanThreshold"
      threshold  = var.thresholds.api_error_percent
      period     = local.period.five_minutes
      periods    = 1, to_alarm = 1
      missing    = "notBreaching", why_missing = "an API that nobody calls reports nothing"
    }

    # In addition to api-errors, because POST /jobs may be a small share of the requests, or a few per hour, and no function reports its
    # failures. One rejected job is not an outage; jobs rejected in two of three periods are.
    "post-errors" = {
      meaning = "In two of three five-minute periods, more than ${var.thresholds.api_error_percent} % of the POST /jobs requests ended in a 5xx: the queue does not accept jobs."
      metrics = {
        for id, name in { errors = "5XXError", requests = "Count" } : id => {
          namespace              = "AWS/ApiGateway", name = name, statistic = "Sum", dimensions = merge(local.api_dimensions, { Resource = "/jobs", Method = "POST" })
        }
      }
      expression = "IF(FILL(errors, 0) > 0, 100 * FILL(errors, 0) / FILL(requests, 1), 0)"
      comparison = "GreaterThanThreshold"
      threshold  = var.thresholds.api_error_percent
      period     = local.period.five_minutes
      periods    = 3, to_alarm = 2
      missing    = "notBreaching", why_missing = "an API that nobody calls reports nothing"
    }

    "api-latency" = {
      meaning = "For one request in a hundred, the jobs API function takes longer than ${var.thresholds.api_latency_ms} ms, not counting the time that callers ask it to wait (GET with wait)."
      # Not the gateway's Latency, which is long on purpose as soon as somebody waits for a job.
      metrics = { time = {
        namespace = var.metrics_namespace, name = "RequestTime", statistic = "p99", dimensions = { service = "ai-jobs" }
      } }
      comparison = "GreaterThanThreshold"
      threshold  = var.thresholds.api_latency_ms
      period     = local.period.five_minutes
      periods    = 3, to_alarm = 3
      missing    = "notBreaching", why_missing = "an API that nobody calls reports nothing"
    }

    "table-throttles" = {
      meaning    = "DynamoDB throttles ${var.table_name} or one of its indexes: jobs and results wait."
      metrics    = local.table_throttles
      expression = join(" + ", [for id in sort(keys(local.table_throttles)) : "FILL(${id}, 0)"])
      comparison = "GreaterThanThreshold"
      threshold  = var.thresholds.table_throttles
      period     = local.period.five_minutes
      periods    = 2, to_alarm = 2
      missing    = "notBreaching", why_missing = "DynamoDB reports throttles only if there are any"
    }

    "failed-jobs" = {
      meaning    = "More than ${var.thresholds.failed_jobs_percent} % of the jobs that ended (and at least ${var.thresholds.failed_jobs_minimum} within 15 minutes) failed; callers' mistakes count."
      metrics    = { completed = local.own.completed, failed = local.own.failed }
      expression = "IF(FILL(failed, 0) >= ${var.thresholds.failed_jobs_minimum}, 100 * FILL(failed, 0) / (FILL(completed, 0) + FILL(failed, 0)), 0)"
      comparison = "GreaterThanThreshold"
      threshold  = var.thresholds.failed_jobs_percent
      period     = 900
      periods    = 1, to_alarm = 1
      missing    = "notBreaching", why_missing = "without jobs, none fail"
    }

    # Without the callers' mistakes: a bad release of a client causes many of them, and they are the caller's to fix.
    "service-failures" = {
      meaning    = "At least ${var.thresholds.failed_jobs_minimum} jobs or results failed within 15 minutes for reasons other than their callers' mistakes: the setup, exhausted attempts or time, or crashed workers."
      metrics    = { for id in ["operator", "exhausted", "crash"] : id => local.own[id] }
      expression = "FILL(operator, 0) + FILL(exhausted, 0) + FILL(crash, 0)"
      comparison = "GreaterThanOrEqualToThreshold"
      threshold  = var.thresholds.failed_jobs_minimum
      period     = 900
      periods    = 1, to_alarm = 1
      missing    = "notBreaching", why_missing = "they are counted when they happen"
    }

    "stalled-jobs" = {
      meaning    = "Jobs were closed as JOB_STALLED: there was no sign of them until long after their deadline."
      metrics    = { stalled = local.own.stalled }
      comparison = "GreaterThanThreshold"
      threshold  = 0
      period     = local.period.five_minutes
      periods    = 1, to_alarm = 1
      missing    = "notBreaching", why_missing = "it is counted when it happens"
    }

    # Our own metric, because the age that SQS reports skips messages that were received three times.
    "oldest-open-job" = {
      meaning = "A job that a worker has started has been open for longer than ${var.thresholds.oldest_open_job_seconds} s."
      metrics = { age = {
        namespace = var.metrics_namespace, name = "OldestOpenJobAge", statistic = "Maximum", dimensions = { service = "ai-jobs" }
      } }
      comparison = "GreaterThanThreshold"
      threshold  = var.thresholds.oldest_open_job_seconds
      period     = max(300, var.reconciler_interval_minutes * 60)
      periods    = 2, to_alarm = 2
      missing    = "ignore", why_missing = "the reconciler measures it, and a silent reconciler must not end the alarm (reconciler-silent reports that)"
    }
  }

  # Watches the watcher.
  reconciler_alarms = { for key, alarm in {
    "reconciler-silent" = {
      meaning    = "The reconciler has not run for three times its interval: the jobs of crashed workers stay open, and nobody measures the oldest one. (After the first apply, this takes as long to become OK.)"
      metrics    = { invocations = merge(local.lambda["reconciler"].errors, { name = "Invocations" }) }
      comparison = "LessThanThreshold"
      threshold  = 1
      period     = max(300, var.reconciler_interval_minutes * 60)
      periods    = 3, to_alarm = 3
      missing    = "breaching", why_missing = "a function that is not invoked reports nothing, which is what this alarm detects"
    }
  } : key => alarm if var.reconciler_enabled }

  alarms = merge(local.dlq_alarms, local.queue_alarms, local.function_alarms, local.service_alarms, local.reconciler_alarms)

  # The metric of each alarm that has no expression.
  single = { for key, alarm in local.alarms : key => one(values(alarm.metrics)) if !can(alarm.expression) }

  # What hurts users while it lasts, and what a single slow job, crash, or caller's mistake does not set off. Not the alarms of the
  # dead-letter queues: they hold messages until somebody acts, and a page that stays in ALARM for days would hide the
  # next outage. Jobs that wait for the token budget are old on purpose.
  paging = ["api-errors", "post-errors", "service-failures", "stalled-jobs", "standstill"]
  paging_rule = join(" OR ", concat(
    [for key in local.paging : "ALARM(\"${aws_cloudwatch_metric_alarm.this[key].alarm_name}\")"],
    [join(" AND ", [
      "(ALARM(\"${aws_cloudwatch_metric_alarm.this["oldest-open-job"].alarm_name}\")",
      "NOT ALARM(\"${aws_cloudwatch_metric_alarm.this["budget-waits"].alarm_name}\"))",
    ])],
  ))
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name = "${var.name_prefix}${each.key}${var.name_suffix}"
  alarm_description = join(" ", [
    each.value.meaning,
    "Missing data: ${each.value.missing}, since ${each.value.why_missing}.",
    "What to do: ${var.runbook_url}#${each.key}",
  ])

  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.to_alarm
  treat_missing_data  = each.value.missing

  # A single metric is set on the alarm itself; several are queries with an expression over them.
  namespace          = try(local.single[each.key].namespace, null)
  metric_name        = try(local.single[each.key].name, null)
  dimensions         = try(local.single[each.key].dimensions, null)
  period             = contains(keys(local.single), each.key) ? each.value.period : null
  statistic          = try(startswith(local.single[each.key].statistic, "p") ? null : local.single[each.key].statistic, null)
  extended_statistic = try(startswith(local.single[each.key].statistic, "p") ? local.single[each.key].statistic : null, null)

  dynamic "metric_query" {
    for_each = contains(keys(local.single), each.key) ? {} : each.value.metrics

    content {
      id = metric_query.key
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        period      = each.value.period
        stat        = metric_query.value.statistic
      }
    }
  }

  dynamic "metric_query" {
    for_each = contains(keys(local.single), each.key) ? [] : [each.value.expression]

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  alarm_actions = local.topic_arns.alarms
  ok_actions    = local.topic_arns.alarms

  tags = var.tags
}

# For the pager: an outage sets off several alarms, but should cause only one page.
resource "aws_cloudwatch_composite_alarm" "service_unhealthy" {
  alarm_name = "${var.name_prefix}service-unhealthy${var.name_suffix}"
  alarm_description = join(" ", [
    "The AI job service is not doing its work: at least one of ${join(", ", local.paging)}, and (unless budget-waits is in ALARM) oldest-open-job is in ALARM; start there.",
    "Missing data: each of these alarms handles it in its own way.",
    "What to do: ${var.runbook_url}#service-unhealthy",
  ])

  alarm_rule = local.paging_rule

  alarm_actions = local.topic_arns.pages
  ok_actions    = local.topic_arns.pages

  tags = var.tags
}
