# Every name that the module derives, in one place: what follows var.name, and how long AWS allows the whole name to be.
# (Suffixes rather than whole names, because var.name's own validation checks the rule, and must not depend on anything that
# depends on var.name.)

locals {
  # A role can't change its path: a replacement is created before the old role is deleted (create_before_destroy of the API's
  # deployment extends to every role that it depends on), and IAM allows a name only once, whatever its path. So each path has
  # its own names.
  role_mark = var.iam.role_path == "/" ? "" : "-${substr(sha256(var.iam.role_path), 0, 6)}"

  name_rules = {
    request_queue  = { kind = "SQS queue", limit = 80, suffix = "-ai-job-request-${var.environment}" }
    request_dlq    = { kind = "SQS queue", limit = 80, suffix = "-ai-job-request-dlq-${var.environment}" }
    response_queue = { kind = "SQS queue", limit = 80, suffix = "-ai-job-response-${var.environment}" }
    events_dlq     = { kind = "SQS queue", limit = 80, suffix = "-ai-job-events-dlq-${var.environment}" }
    response_dlq   = { kind = "SQS queue", limit = 80, suffix = "-ai-job-response-dlq-${var.environment}" }

    processor       = { kind = "Lambda function", limit = 64, suffix = "-ai-job-processor-${var.environment}" }
    result_handler  = { kind = "Lambda function", limit = 64, suffix = "-ai-job-result-handler-${var.environment}" }
    reconciler      = { kind = "Lambda function", limit = 64, suffix = "-ai-job-reconciler-${var.environment}" }
    event_publisher = { kind = "Lambda function", limit = 64, suffix = "-ai-job-event-publisher-${var.environment}" }
    jobs_api        = { kind = "Lambda function", limit = 64, suffix = "-ai-jobs-api-${var.environment}" }

    # IAM is global: without the region, the same environment could not exist in a second region.
    processor_role      = { kind = "IAM role", limit = 64, suffix = "-ai-job-processor-${var.environment}-${local.region}${local.role_mark}" }
    result_handler_role = { kind = "IAM role", limit = 64, suffix = "-ai-job-result-handler-${var.environment}-${local.region}${local.role_mark}" }
    reconciler_role     = { kind = "IAM role", limit = 64, suffix = "-ai-job-reconciler-${var.environment}-${local.region}${local.role_mark}" }
    # Shorter than its function's name: otherwise it would be the longest, and leave less room for var.name.
    event_publisher_role = { kind = "IAM role", limit = 64, suffix = "-ai-job-events-${var.environment}-${local.region}${local.role_mark}" }
    schedule_role        = { kind = "IAM role", limit = 64, suffix = "-ai-job-schedule-${var.environment}-${local.region}${local.role_mark}" }
    jobs_api_role        = { kind = "IAM role", limit = 64, suffix = "-ai-jobs-api-${var.environment}-${local.region}${local.role_mark}" }
    post_jobs_role       = { kind = "IAM role", limit = 64, suffix = "-ai-jobs-post-${var.environment}-${local.region}${local.role_mark}" }

    # Bucket names are global, even across accounts.
    bucket = { kind = "S3 bucket", limit = 63, suffix = "-ai-jobs-${var.environment}-${local.account_id}-${local.region}" }

    schedule    = { kind = "EventBridge schedule", limit = 64, suffix = "-ai-job-reconciler-${var.environment}" }
    table       = { kind = "DynamoDB table", limit = 255, suffix = "-ai-jobs-${var.environment}" }
    api         = { kind = "REST API", limit = 1024, suffix = "-ai-jobs-${var.environment}" }
    config      = { kind = "AppConfig application", limit = 64, suffix = "-ai-jobs-${var.environment}" }
    deployment  = { kind = "AppConfig deployment strategy", limit = 64, suffix = "-ai-jobs-${var.environment}-at-once" }
    alarm_topic = { kind = "SNS topic", limit = 256, suffix = "-ai-job-alarms-${var.environment}" }
    page_topic  = { kind = "SNS topic", limit = 256, suffix = "-ai-job-pages-${var.environment}" }
    alarm       = { kind = "CloudWatch alarm", limit = 255, suffix = "-ai-job-result-handler-concurrency-${var.environment}" }
    # Global to the account, like roles.
    dashboard = { kind = "CloudWatch dashboard", limit = 255, suffix = "-ai-jobs-${var.environment}-${local.region}" }
  }

  names = { for key, rule in local.name_rules : key => "${var.name}${rule.suffix}" }
}
