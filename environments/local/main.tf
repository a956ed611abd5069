module "ai_jobs" {
  source = "../../modules/ai-jobs"

  name        = var.name
  environment = var.environment
  tags        = var.tags

  packages = { directory = var.packages_directory }

  # The emulator speaks HTTP, and evaluates queue policies.
  require_tls = false

  # What is local can be thrown away, and rebuilt from nothing.
  table = {
    deletion_protection    = false
    point_in_time_recovery = false
  }
  bucket = { force_destroy = true }

  # Jobs are worked on as they come: nobody waits for a batch on one machine.
  processor = { batching_window_seconds = 0 }

  job_types = var.job_types
  # The emulator has no Logs Insights.
  logs = { level = "INFO", retention_days = 1, saved_queries = false }
}

# AWS authorises Converse as bedrock:InvokeModel and the batch form of ChangeMessageVisibility as the plain one, and
# the module grants those; MiniStack asks for actions of its own. What only the emulator wants is granted here, in
# its environment, and nowhere else.
resource "aws_iam_role_policy" "emulator" {
  for_each = {
    processor = {
      role    = module.ai_jobs.processor_role_name
      actions = ["bedrock:Converse", "sqs:ChangeMessageVisibilityBatch"]
    }
    reconciler = {
      role    = module.ai_jobs.reconciler_role_name
      actions = ["sqs:ChangeMessageVisibilityBatch"]
    }
  }

  name = "emulator"
  role = each.value.role

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = each.value.actions
      Resource = ["*"]
    }]
  })
}

moved {
  from = aws_iam_role_policy.emulator
  to   = aws_iam_role_policy.emulator["processor"]
}
