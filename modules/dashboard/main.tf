# One row after the other, 24 units wide; where a widget stands follows from its place in local.rows. What it may show is
# tested (tests/alarms): only metrics that AWS or the functions really write.

data "aws_region" "current" {}

locals {
  # CloudWatch writes a metric as [namespace, name, dimension, value, ..., {options}].
  own = {
    for name in [
      "JobsCompleted", "JobsFailed", "JobsCancelled", "JobsStalled", "Attempts", "RequestTime", "QueueWait", "TotalTime", "ModelLatency", "InputTokens", "OutputTokens",
      "CacheReadTokens", "CacheWriteTokens", "EstimatedCost", "OutputRepairs", "ModelFallbacks", "ModelThrottles", "BudgetWaits", "WaitsRefused", "OldestOpenJobAge", "InvalidErrors", "OperatorErrors",
      "ThrottledErrors", "TransientErrors", "ExhaustedErrors", "CrashErrors", "NotAJobErrors",
    ] : name => [var.metrics_namespace, name, "service", "ai-jobs"]
  }

  api = { for name in ["Count", "4XXError", "5XXError", "Latency"] : name => ["AWS/ApiGateway", name, "ApiName", var.api.name, "Stage", var.api.stage_name] }

  # The first row: is it healthy? What is broken now, do jobs end well, does any wait too long, were any given up.
  health = [
    {
      title = "Jobs ended"
      metrics = [
        concat(local.own.JobsCompleted, [{ id = "completed", label = "completed", stat = "Sum", color = "#2ca02c" }]),
        concat(local.own.JobsFailed, [{ id = "failed", label = "failed", stat = "Sum", color = "#d62728" }]),
        concat(local.own.JobsCancelled, [{ label = "cancelled", stat = "Sum", color = "#9467bd" }]),
        # Where no job ended there is no share, and no point.
        [{ expression = "100 * FILL(completed, 0) / (FILL(completed, 0) + FILL(failed, 0))", label = "completed, % (right)", yAxis = "right", color = "#7f7f7f" }],
      ]
      right_axis = { min = 0, max = 100 }
    },
    {
      title = "Oldest job and its limits, s"
      metrics = [
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queues.request, { label = "in its queue", stat = "Maximum" }],
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queues.response, { label = "result", stat = "Maximum" }],
        concat(local.own.OldestOpenJobAge, [{ label = "begun (right)", stat = "Maximum", yAxis = "right" }]),
      ]
      limits = [
        { label = "limit", value = var.age_limits.oldest_message_seconds, yAxis = "left", color = "#d62728" },
        { label = "limit (right)", value = var.age_limits.oldest_open_job_seconds, yAxis = "right", color = "#ff9896" },
      ]
    },
    {
      title = "Dead-lettered messages"
      metrics = concat(
        [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queues.request_dlq, { label = "jobs", stat = "Maximum", color = "#d62728" }],
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queues.response_dlq, { label = "results", stat = "Maximum", color = "#ff7f0e" }],
        ],
        [for events in var.events[*] : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", events.queue_name, { label = "events", stat = "Maximum", color = "#9467bd" }]],
      )
    },
  ]

  # The second row: why is it not?
  causes = [
    {
      title = "Failures by class"
      metrics = concat(
        [
          for name in ["Invalid", "Operator", "Throttled", "Transient", "Exhausted", "Crash", "NotAJob"] :
          concat(local.own["${name}Errors"], [{ label = name, stat = "Sum" }])
        ],
        [concat(local.api["5XXError"], [{ label = "API 5xx", stat = "Sum" }])],
      )
    },
    {
      title = "Backlog and workers"
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queues.request, { label = "jobs waiting", stat = "Maximum" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesDelayed", "QueueName", var.queues.request, { label = "jobs delayed", stat = "Maximum" }],
        ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", var.processor_name, { label = "processors (right)", stat = "Maximum", yAxis = "right" }],
      ]
      limits = [{ label = "limit of processors", value = var.concurrency_limit, yAxis = "right" }]
    },
    {
      title = "Wait and total time, ms"
      metrics = [
        concat(local.own.QueueWait, [{ label = "wait p50", stat = "p50" }]),
        concat(local.own.QueueWait, [{ label = "wait p95", stat = "p95" }]),
        concat(local.own.TotalTime, [{ label = "total p50", stat = "p50" }]),
        concat(local.own.TotalTime, [{ label = "total p95", stat = "p95" }]),
      ]
    },
    {
      title = "Model throttles and waits"
      metrics = [
        concat(local.own.ModelThrottles, [{ label = "throttled by the model", stat = "Sum" }]),
        concat(local.own.BudgetWaits, [{ label = "over the token budget", stat = "Sum" }]),
        concat(local.own.JobsStalled, [{ label = "stalled", stat = "Sum" }]),
        concat(local.own.Attempts, [{ label = "attempts, average (right)", stat = "Average", yAxis = "right", color = "#7f7f7f" }]),
      ]
    },
  ]

  queues = [
    # Lists, because a map would be in the order of the alphabet.
    for queue in [
      { title = "Request queue", name = var.queues.request }, { title = "Request DLQ", name = var.queues.request_dlq },
      { title = "Response queue", name = var.queues.response }, { title = "Response DLQ", name = var.queues.response_dlq },
      ] : {
      title = queue.title
      metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, { label = "visible", stat = "Maximum" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", queue.name, { label = "in flight", stat = "Maximum" }],
        ["AWS/SQS", "ApproximateNumberOfMessagesDelayed", "QueueName", queue.name, { label = "delayed", stat = "Maximum" }],
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name, { label = "oldest, s (right)", stat = "Maximum", yAxis = "right" }],
      ]
    }
  ]

  functions = [
    for function in var.functions : {
      title = "Function ${function.title}"
      metrics = [
        ["AWS/Lambda", "Invocations", "FunctionName", function.name, { label = "invocations", stat = "Sum" }],
        ["AWS/Lambda", "Errors", "FunctionName", function.name, { label = "errors", stat = "Sum", color = "#d62728" }],
        ["AWS/Lambda", "Throttles", "FunctionName", function.name, { label = "throttles", stat = "Sum" }],
        ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", function.name, { label = "at once", stat = "Maximum" }],
        ["AWS/Lambda", "Duration", "FunctionName", function.name, { label = "p95, ms (right)", stat = "p95", yAxis = "right" }],
      ]
    }
  ]

  model = [
    {
      title = "Model latency, ms"
      metrics = [
        concat(local.own.ModelLatency, [{ label = "p50", stat = "p50" }]),
        concat(local.own.ModelLatency, [{ label = "p95", stat = "p95" }]),
        concat(local.own.ModelLatency, [{ label = "longest", stat = "Maximum" }]),
      ]
    },
    {
      title = "Tokens"
      metrics = [
        concat(local.own.InputTokens, [{ label = "input", stat = "Sum" }]),
        concat(local.own.OutputTokens, [{ label = "output", stat = "Sum" }]),
        concat(local.own.CacheReadTokens, [{ label = "read from the cache", stat = "Sum" }]),
        concat(local.own.CacheWriteTokens, [{ label = "written to the cache", stat = "Sum" }]),
      ]
    },
    {
      title   = "Estimated cost, US dollars"
      metrics = [concat(local.own.EstimatedCost, [{ label = "cost", stat = "Sum" }])]
    },
    {
      title = "Further model calls"
      metrics = [
        concat(local.own.OutputRepairs, [{ label = "repairs of JSON output", stat = "Sum" }]),
        concat(local.own.ModelFallbacks, [{ label = "answered by a fallback model", stat = "Sum" }]),
      ]
    },
  ]

  by_type = [
    for chart in [
      { title = "Completed by type", metric = "JobsCompleted", stat = "Sum" },
      { title = "Failed by type", metric = "JobsFailed", stat = "Sum" },
      { title = "Total time by type, p95 ms", metric = "TotalTime", stat = "p95" },
      { title = "Cost by type, US dollars", metric = "EstimatedCost", stat = "Sum" },
      ] : {
      title = chart.title
      metrics = [
        for type in concat(var.job_types, chart.metric == "JobsFailed" ? ["other"] : []) :
        [var.metrics_namespace, chart.metric, "service", "ai-jobs", "JobType", type, { label = type, stat = chart.stat }]
      ]
    } if length(var.job_types) > 0
  ]

  access = [
    {
      title = "API requests"
      metrics = [
        concat(local.api["Count"], [{ label = "requests", stat = "Sum" }]),
        concat(local.api["4XXError"], [{ label = "4xx", stat = "Sum" }]),
        concat(local.api["5XXError"], [{ label = "5xx", stat = "Sum", color = "#d62728" }]),
        concat(local.own.WaitsRefused, [{ label = "not let wait", stat = "Sum" }]),
      ]
    },
    {
      # The gateway's latency holds what callers ask to wait; RequestTime does not.
      title = "API latency, ms"
      metrics = [
        concat(local.own.RequestTime, [{ label = "function without waits, p50", stat = "p50" }]),
        concat(local.own.RequestTime, [{ label = "function without waits, p99", stat = "p99" }]),
        concat(local.api["Latency"], [{ label = "gateway p50", stat = "p50" }]),
        concat(local.api["Latency"], [{ label = "gateway p99", stat = "p99" }]),
      ]
    },
    {
      title = "Jobs table"
      metrics = [
        for name in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"] :
        ["AWS/DynamoDB", name, "TableName", var.table_name, { label = name, stat = "Sum" }]
      ]
    },
  ]

  events = var.events == null ? [] : [{
    title = "Events"
    metrics = [
      ["AWS/Lambda", "Invocations", "FunctionName", var.events.function_name, { label = "publisher's invocations", stat = "Sum" }],
      ["AWS/Lambda", "Errors", "FunctionName", var.events.function_name, { label = "errors", stat = "Sum", color = "#d62728" }],
      ["AWS/Lambda", "IteratorAge", "FunctionName", var.events.function_name, { label = "behind, ms (right)", stat = "Maximum", yAxis = "right" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.events.queue_name, { label = "not published", stat = "Maximum", color = "#9467bd" }],
    ]
  }]

  charts = {
    for name, row in {
      health    = local.health, causes = local.causes, queues = local.queues, access = concat(local.access, local.events),
      functions = local.functions, model = local.model, by_type = local.by_type,
      } : name => [
      for chart in row : {
        type = "metric"
        properties = merge(
          {
            title   = chart.title
            region  = data.aws_region.current.id
            view    = "timeSeries"
            stacked = false
            period  = 60
            metrics = chart.metrics
            yAxis   = { left = { min = 0 }, right = try(chart.right_axis, { min = 0 }) }
          },
          [for limits in try([chart.limits], []) : { annotations = { horizontal = limits } }]...
        )
      }
    ]
  }

  paging_alarms = { type = "alarm", properties = { title = "Alarms that page", alarms = var.paging_alarm_arns } }
  all_alarms    = { type = "alarm", properties = { title = "All alarms", alarms = var.alarm_arns } }

  # In the order of use.
  rows = [
    for row in [
      concat([local.paging_alarms], local.charts.health), local.charts.causes, local.charts.queues, local.charts.access,
      local.charts.functions, local.charts.model, local.charts.by_type, [local.all_alarms],
    ] : row if length(row) > 0
  ]

  widgets = flatten([
    for index, row in local.rows : [
      for place, widget in row : merge(widget, {
        x      = place * floor(24 / length(row))
        y      = 6 * index
        width  = floor(24 / length(row))
        height = 6
      })
    ]
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({ widgets = local.widgets })
}
