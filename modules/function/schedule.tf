data "aws_caller_identity" "current" {}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297: a schedule without a payload: there is nothing to encrypt
  count = var.schedule == null ? 0 : 1

  name                = var.schedule.name
  description         = "Runs ${var.name}."
  state               = var.schedule.enabled ? "ENABLED" : "DISABLED"
  schedule_expression = var.schedule.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = aws_iam_role.schedule[0].arn

    # The next run is due soon anyway.
    retry_policy {
      maximum_retry_attempts = 0
    }
  }

  # Until the permission is in effect, runs would fail.
  depends_on = [aws_iam_role_policy.schedule]
}

resource "aws_iam_role" "schedule" {
  count = var.schedule == null ? 0 : 1

  name                 = var.schedule.role_name
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  description          = "Lets EventBridge Scheduler run the function ${var.name}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Not for schedules of other accounts.
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule == null ? 0 : 1

  name = "invoke"
  role = aws_iam_role.schedule[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "RunFunction"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [aws_lambda_alias.live.arn]
    }]
  })
}

# A failed run is not retried: the next one does its work.
resource "aws_lambda_function_event_invoke_config" "schedule" {
  count = var.schedule == null ? 0 : 1

  function_name          = aws_lambda_function.this.function_name
  qualifier              = aws_lambda_alias.live.name
  maximum_retry_attempts = 0
}
