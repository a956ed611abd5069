# The token modes of the API, on the same table and queue as the full composition: the leaves that differ by mode, made
# once more. A queue of their own would cost half a minute, and show nothing more.

variable "authorizer_package" {
  description = "The zip with authorizer.py; the tests' fixture makes it, and says where."
  type        = string
}

locals {
  token_modes = {
    cognito = {
      authorization     = "COGNITO_USER_POOLS"
      cognito           = { user_pool_arns = [aws_cognito_user_pool.users.arn] }
      lambda_authorizer = null
      usage_plan        = null
      cors              = { allow_origins = ["http://localhost:8123"], max_age_seconds = 60 }
    }
    # With API keys as well: quota beside the authorization.
    custom = {
      authorization = "CUSTOM"
      cognito       = null
      lambda_authorizer = {
        function_arn       = module.authorizer.arn
        type               = "TOKEN"
        identity_source    = "method.request.header.Authorization"
        result_ttl_seconds = 300
      }
      usage_plan = { keys = { web = { value = "integration-key-0123456789" } } }
      cors       = { allow_origins = ["http://localhost:8123", "https://app.example.com"], max_age_seconds = 60 }
    }
  }
  request_queue_name = reverse(split(":", module.ai_jobs.request_queue_arn))[0]
}

resource "aws_cognito_user_pool" "users" {
  name = "integration-users"
}

resource "aws_cognito_user_pool_client" "web" {
  name                = "web"
  user_pool_id        = aws_cognito_user_pool.users.id
  explicit_auth_flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
}

module "authorizer" {
  source = "../../../modules/function"

  name            = "integration-authorizer"
  role_name       = "integration-authorizer"
  description     = "Whose token a request brings: authorizer.py."
  handler         = "authorizer.handler"
  package         = { path = var.authorizer_package }
  timeout_seconds = 10
  memory_mb       = 128

  role_path          = "/"
  log_retention_days = 30
}

module "jobs_api" {
  source   = "../../../modules/function"
  for_each = local.token_modes

  name            = "integration-ai-jobs-api-${each.key}"
  role_name       = "integration-ai-jobs-api-${each.key}"
  description     = "jobs_api of modules/ai-jobs, for ${each.value.authorization}."
  handler         = "jobs_api.handler.handler"
  package         = { path = "${path.module}/../../../dist/jobs_api.zip" }
  timeout_seconds = 29
  memory_mb       = 1024

  role_path          = "/"
  log_retention_days = 30

  environment_variables = {
    POWERTOOLS_SERVICE_NAME           = "ai-jobs-api"
    POWERTOOLS_METRICS_NAMESPACE      = module.ai_jobs.metrics_namespace
    AI_JOB_TYPES                      = ""
    AI_JOB_AUTHORIZATION              = each.value.authorization
    AI_JOB_CORS_ALLOW_ORIGINS         = join(" ", each.value.cors.allow_origins)
    AI_JOB_REQUEST_QUEUE_URL          = module.ai_jobs.request_queue_url
    AI_JOB_TABLE_NAME                 = module.ai_jobs.table_name
    AI_JOB_BUCKET                     = module.ai_jobs.bucket_name
    AI_JOB_CONFIG_APPLICATION         = module.ai_jobs.config_application_id
    AI_JOB_CONFIG_ENVIRONMENT         = module.ai_jobs.config_environment_id
    AI_JOB_CONFIG_PROFILE             = module.ai_jobs.config_profile_id
    AI_JOB_CONFIG_MAX_AGE_SECONDS     = "60"
    AI_JOB_VISIBILITY_TIMEOUT_SECONDS = "25"
    AI_JOB_DEFAULT_DEADLINE_SECONDS   = "21600"
    AI_JOB_RETENTION_DAYS             = "30"
    AI_JOB_MAX_WAIT_SECONDS           = "25"
  }

  statements = [
    {
      sid       = "UseTheJobsOfTheComposition"
      actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query", "sqs:SendMessage"]
      resources = [module.ai_jobs.table_arn, "${module.ai_jobs.table_arn}/index/by-user", module.ai_jobs.request_queue_arn]
    },
    {
      sid       = "ReadJobTypes"
      actions   = ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"]
      resources = ["*"]
    },
  ]
}

module "api" {
  source   = "../../../modules/api"
  for_each = local.token_modes

  name              = "integration-${each.key}"
  role_name         = "integration-post-${each.key}"
  role_path         = "/"
  stage_name        = "v1"
  authorization     = each.value.authorization
  cognito           = each.value.cognito
  lambda_authorizer = each.value.lambda_authorizer
  usage_plan        = each.value.usage_plan
  cors              = each.value.cors
  request_queue     = { name = local.request_queue_name, arn = module.ai_jobs.request_queue_arn }
  jobs_function     = { name = module.jobs_api[each.key].name, alias = module.jobs_api[each.key].alias, invoke_arn = module.jobs_api[each.key].invoke_arn }

  throttling_rate_limit  = 100
  throttling_burst_limit = 200
  access_logs            = false
  log_retention_days     = 30
}

output "token_api_ids" { value = { for key, api in module.api : key => api.id } }
output "user_pool_id" { value = aws_cognito_user_pool.users.id }
output "user_pool_client_id" { value = aws_cognito_user_pool_client.web.id }
