module "api" {
  source = "../api"

  name                   = local.names.api
  stage_name             = var.api.stage_name
  authorization          = var.api.authorization
  cognito                = var.api.cognito
  lambda_authorizer      = var.api.lambda_authorizer
  usage_plan             = var.api.usage_plan
  resource_policy        = var.api.resource_policy
  waf                    = var.api.waf
  domain                 = var.api.domain
  cors                   = var.api.cors
  throttling_rate_limit  = var.api.throttling_rate_limit
  throttling_burst_limit = var.api.throttling_burst_limit
  access_logs            = var.api.access_logs
  log_retention_days     = var.logs.retention_days

  request_queue = { name = module.request_queue.name, arn = module.request_queue.arn }
  jobs_function = { name = module.jobs_api.name, alias = module.jobs_api.alias, invoke_arn = module.jobs_api.invoke_arn }
  kms_key_arn   = var.kms_key_arn

  role_name                = local.names.post_jobs_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn

  tags = local.tags
}

locals {
  # The function sets the CORS headers of its own responses, and the gateway those of the others. Without cors, the variable is not
  # in the environment at all.
  cors_variables = { for name, origins in { AI_JOB_CORS_ALLOW_ORIGINS = try(var.api.cors.allow_origins, []) } : name => join(" ", origins) if length(origins) > 0 }
}
