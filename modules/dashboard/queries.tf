# Logs Insights queries as a starting point; the functions log JSON, so fields have names.

locals {
  queries = {
    "job" = {
      log_groups = values(var.log_group_names)
      query      = <<-EOT
        # Everything about one job, in order. Replace JOB_ID.
        fields @timestamp, service, level, message, attempt, errorCode, errorClass, cause, traceId
        | filter jobId = "JOB_ID"
        | sort @timestamp asc
        | limit 200
      EOT
    }

    "user" = {
      log_groups = values(var.log_group_names)
      query      = <<-EOT
        # What happened to one user's jobs. Replace USER_ID.
        fields @timestamp, jobId, jobType, message, attempt, errorCode
        | filter userId = "USER_ID"
        | sort @timestamp desc
        | limit 200
      EOT
    }

    "slowest" = {
      log_groups = [var.log_group_names["processor"]]
      query      = <<-EOT
        # The slowest model calls, from the log lines with metrics.
        fields @timestamp, jobId, JobType, ModelLatency.0 as latencyMs, InputTokens.0 as inputTokens, OutputTokens.0 as outputTokens
        | filter ispresent(ModelLatency.0)
        | sort latencyMs desc
        | limit 50
      EOT
    }

    "failures-by-code" = {
      log_groups = values(var.log_group_names)
      query      = <<-EOT
        # Which errors occurred, and how often.
        filter ispresent(errorCode)
        | stats count(*) as times, count_distinct(jobId) as jobs, latest(@timestamp) as last by errorCode, errorClass, service
        | sort times desc
      EOT
    }
  }
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = { for name, query in local.queries : name => query if var.saved_queries }

  name            = "${var.name}/${each.key}"
  query_string    = each.value.query
  log_group_names = each.value.log_groups
}
