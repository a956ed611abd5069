# How the repository of a platform team uses the module: a version of it by source address, the zips of
# the same version from a bucket, and a job type of its own next to the built-in ones.

module "ai_jobs" {
  # In a repository of your own:
  #   source = "git::https://github.com/<owner>/<repository>.git//modules/ai-jobs?ref=v1.2.0"
  # Here the relative path, so that this example is checked together with the module.
  source = "../../modules/ai-jobs"

  name        = "acme-homes"
  environment = "production"
  tags        = { Team = "growth", CostCenter = "4711" }

  # Built once by `make package`, uploaded once, and the same bytes in every environment. The versions
  # are what makes a new upload under the same key a change of the plan.
  packages = {
    s3 = {
      bucket   = var.package_bucket
      prefix   = "ai-jobs/v1.2.0"
      versions = var.package_versions
    }
  }

  # In Europe most models are called through the inference profile of the geography.
  default_model_id = "eu.amazon.nova-lite-v1:0"

  job_types = {
    open-house-invitation = {
      system_prompt = file("${path.module}/prompts/open-house-invitation.system.txt")
      prompt        = file("${path.module}/prompts/open-house-invitation.txt")
      max_tokens    = 800
      # Only for models that take it.
      temperature     = 0.7
      timeout_seconds = 60
      input_schema    = file("${path.module}/prompts/open-house-invitation.schema.json")
    }
  }

  # At most 20 x 10 model calls at once: what the quota of the model allows.
  processor = { maximum_concurrency = 20 }

  # This account has the API Gateway logging role.
  api  = { access_logs = true, throttling_rate_limit = 200, throttling_burst_limit = 400 }
  logs = { retention_days = 90 }

  iam = { role_path = "/platform/", permissions_boundary_arn = var.permissions_boundary_arn }
}

# Who may submit and read jobs: any role with this policy, by signed requests.
resource "aws_iam_policy" "use_ai_jobs" {
  name        = "use-ai-jobs"
  description = "Submit AI jobs and read their results."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = ["execute-api:Invoke"]
      Resource = [
        "${module.ai_jobs.api_execution_arn}/POST/jobs",
        "${module.ai_jobs.api_execution_arn}/GET/jobs/*",
      ]
    }]
  })
}

# Who is told when jobs end in a dead-letter queue. The address gets a mail to confirm.
resource "aws_sns_topic_subscription" "on_call" {
  topic_arn = module.ai_jobs.alarm_topic_arn
  protocol  = "email"
  endpoint  = var.on_call_email
}
