# Every rule of the api leaf refuses what breaks it. A run breaks one rule of each variable in expect_failures. What is
# just allowed is in api.tftest.hcl, and in ai_jobs.tftest.hcl (token_modes, lambda_authorizer).

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

variables {
  name          = "api-test"
  role_name     = "post-test-eu-west-1"
  request_queue = { name = "request-test", arn = "arn:aws:sqs:eu-west-1:123456789012:request-test" }
  jobs_function = { name = "jobs-api-test", alias = "live", invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/function" }

  authorization          = "AWS_IAM"
  stage_name             = "v1"
  throttling_rate_limit  = 100
  throttling_burst_limit = 200
  access_logs            = false
  log_retention_days     = 30
  role_path              = "/"
}

run "rules_1" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization   = "AWS_IAM"
    cognito         = { user_pool_arns = ["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Abc"] } # there is no use for it
    usage_plan      = { keys = {} }                                                                              # then nobody could call
    resource_policy = { json = "Allow everybody" }
    waf             = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:global/webacl/jobs/1" } # one of CloudFront
    domain          = { name = "https://jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", security_policy = "TLS_1_2" }
  }

  expect_failures = [var.cognito, var.usage_plan, var.resource_policy, var.waf, var.domain]
}

run "rules_2" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization   = "COGNITO_USER_POOLS"
    cognito         = { user_pool_arns = [] }
    usage_plan      = { keys = { "my web" = {} } }
    resource_policy = { json = "{}" }
    waf             = { web_acl_arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/jobs/1" }                                                            # another region
    domain          = { name = "jobs.example.com", certificate_arn = "arn:aws:iam:eu-west-1:123456789012:server-certificate/jobs", security_policy = "TLS_1_2" } # of IAM
  }

  expect_failures = [var.cognito, var.usage_plan, var.resource_policy, var.waf, var.domain]
}

run "rules_3" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "COGNITO_USER_POOLS"
    cognito       = { user_pool_arns = ["eu-west-1_Abc"] }                 # no ARN
    usage_plan    = { keys = { web = { value = "0123456789012345678" } } } # 19 characters
    domain        = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", base_path = "a/b", security_policy = "TLS_1_2" }
  }

  expect_failures = [var.cognito, var.usage_plan, var.domain]
}

run "rules_4" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "COGNITO_USER_POOLS"
    cognito       = { user_pool_arns = ["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Abc"], scopes = ["jobs/use jobs/read"] }
    usage_plan    = { keys = { web = { value = sensitive("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") } } }
    domain        = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", security_policy = "TLS_1_3" }
  }

  expect_failures = [var.cognito, var.usage_plan, var.domain]
}

run "rules_5" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "COGNITO_USER_POOLS"
    usage_plan    = { keys = { web = {} }, rate_limit = 1 }
    domain        = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1", security_policy = "TLS_1_2" } # another region
  }

  expect_failures = [var.cognito, var.usage_plan, var.domain]
}

run "rules_6" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "who", type = "TOKEN", identity_source = "method.request.header.Authorization", result_ttl_seconds = 300 } # no ARN
    usage_plan        = { keys = { web = {} }, rate_limit = 0, burst_limit = 1 }
  }

  expect_failures = [var.lambda_authorizer, var.usage_plan]
}

run "rules_7" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", type = "JWT", identity_source = "method.request.header.Authorization", result_ttl_seconds = 300 }
    usage_plan        = { keys = { web = {} }, rate_limit = 1, burst_limit = 0 }
  }

  expect_failures = [var.lambda_authorizer, var.usage_plan]
}

run "rules_8" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", type = "REQUEST", identity_source = "method.request.querystring.token", result_ttl_seconds = 300 }
    usage_plan        = { keys = { web = {} }, rate_limit = 1, burst_limit = 1.5 }
  }

  expect_failures = [var.lambda_authorizer, var.usage_plan]
}

run "rules_9" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", identity_source = "method.request.header.A,method.request.header.B", type = "TOKEN", result_ttl_seconds = 300 } # TOKEN has one
    usage_plan        = { keys = { web = {} }, quota = { limit = 0, period = "DAY" } }
  }

  expect_failures = [var.lambda_authorizer, var.usage_plan]
}

run "rules_10" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", result_ttl_seconds = 3601, type = "TOKEN", identity_source = "method.request.header.Authorization" }
    usage_plan        = { keys = { web = {} }, quota = { limit = 1.5, period = "DAY" } }
  }

  expect_failures = [var.lambda_authorizer, var.usage_plan]
}

run "rules_11" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", result_ttl_seconds = -1, type = "TOKEN", identity_source = "method.request.header.Authorization" }
    usage_plan        = { keys = { web = {} }, quota = { limit = 1, period = "HOUR" } }
  }

  expect_failures = [var.lambda_authorizer, var.usage_plan]
}

run "rules_12" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", result_ttl_seconds = 1.5, type = "TOKEN", identity_source = "method.request.header.Authorization" }
  }

  expect_failures = [var.lambda_authorizer]
}

run "rules_13" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:us-east-1:123456789012:function:who", type = "TOKEN", identity_source = "method.request.header.Authorization", result_ttl_seconds = 300 } # another region
  }

  expect_failures = [var.lambda_authorizer]
}

run "rules_14" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "CUSTOM"
  }

  expect_failures = [var.lambda_authorizer]
}

run "rules_15" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "AWS_IAM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", type = "TOKEN", identity_source = "method.request.header.Authorization", result_ttl_seconds = 300 } # there is no use for it
  }

  expect_failures = [var.lambda_authorizer]
}

run "keys_are_no_authentication" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "NONE"
    usage_plan    = { keys = { web = {} } }
  }

  expect_failures = [var.usage_plan]
}

run "cors_1" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = [], max_age_seconds = 3600 } # none
  }

  expect_failures = [var.cors]
}

run "cors_2" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://app.example.com", "https://app.example.com"], max_age_seconds = 3600 } # twice
  }

  expect_failures = [var.cors]
}

run "cors_3" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["*", "https://app.example.com"], max_age_seconds = 3600 } # "*" stands alone
  }

  expect_failures = [var.cors]
}

run "cors_4" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["http://app.example.com"], max_age_seconds = 3600 } # plain http
  }

  expect_failures = [var.cors]
}

run "cors_5" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://app.example.com/"], max_age_seconds = 3600 } # a slash at the end
  }

  expect_failures = [var.cors]
}

run "cors_6" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://App.example.com"], max_age_seconds = 3600 } # browsers send lower case
  }

  expect_failures = [var.cors]
}

run "cors_7" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://*.example.com"], max_age_seconds = 3600 } # a wildcard
  }

  expect_failures = [var.cors]
}

run "cors_8" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://app.example.com:443"], max_age_seconds = 3600 } # browsers leave it out
  }

  expect_failures = [var.cors]
}

run "cors_9" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["http://localhost:80"], max_age_seconds = 3600 } # likewise
  }

  expect_failures = [var.cors]
}

run "cors_10" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["app.example.com"], max_age_seconds = 3600 } # no scheme
  }

  expect_failures = [var.cors]
}

run "cors_11" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://app.example.com'"], max_age_seconds = 3600 } # would end the quoted header
  }

  expect_failures = [var.cors]
}

run "cors_12" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["*"], max_age_seconds = -1 }
  }

  expect_failures = [var.cors]
}

run "cors_13" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["*"], max_age_seconds = 86401 }
  }

  expect_failures = [var.cors]
}

run "cors_14" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["*"], max_age_seconds = 1.5 }
  }

  expect_failures = [var.cors]
}
