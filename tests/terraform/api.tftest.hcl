# The api leaf: POST /jobs into the queue, all other routes from a function; who may call.
# What its two mapping templates do is tested by a Velocity engine in tests/unit/test_api_templates.py.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }

  mock_resource "aws_api_gateway_rest_api" {
    defaults = {
      id               = "abc123"
      root_resource_id = "root"
      execution_arn    = "arn:aws:execute-api:eu-west-1:123456789012:abc123"
    }
  }
  override_resource {
    target = aws_api_gateway_resource.jobs
    values = { id = "jobs" }
  }
  override_resource {
    target = aws_api_gateway_resource.job
    values = { id = "job" }
  }
  override_resource {
    target = aws_api_gateway_resource.uploads
    values = { id = "uploads" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/post-test-eu-west-1", id = "post-test-eu-west-1" }
  }
  mock_resource "aws_api_gateway_request_validator" {
    defaults = { id = "validator" }
  }
  mock_resource "aws_api_gateway_deployment" {
    defaults = { id = "deployment" }
  }
  mock_resource "aws_api_gateway_stage" {
    defaults = {
      arn           = "arn:aws:apigateway:eu-west-1::/restapis/abc123/stages/v1"
      invoke_url    = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1"
      execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:abc123/v1"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:access" }
  }
  mock_resource "aws_api_gateway_authorizer" {
    defaults = { id = "auth1" }
  }
  mock_resource "aws_api_gateway_api_key" {
    defaults = { id = "key1" }
  }
  mock_resource "aws_api_gateway_usage_plan" {
    defaults = { id = "plan1" }
  }
  mock_resource "aws_api_gateway_domain_name" {
    defaults = { regional_domain_name = "d-1.execute-api.eu-west-1.amazonaws.com", regional_zone_id = "ZONE1" }
  }
}

variables {
  name          = "api-test"
  role_name     = "post-test-eu-west-1"
  request_queue = { name = "request-test", arn = "arn:aws:sqs:eu-west-1:123456789012:request-test" }
  jobs_function = {
    name       = "jobs-api-test"
    alias      = "live"
    invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:jobs-api-test:live/invocations"
  }
  tags = { Environment = "test", Team = "jobs" }

  authorization          = "AWS_IAM"
  stage_name             = "v1"
  throttling_rate_limit  = 100
  throttling_burst_limit = 200
  access_logs            = false
  log_retention_days     = 30
  role_path              = "/"
}

run "post_jobs" {
  command = plan

  module {
    source = "../../modules/api"
  }

  # R-J1: straight to SQS.
  assert {
    condition = (
      aws_api_gateway_method.post_jobs.http_method == "POST" && aws_api_gateway_method.post_jobs.resource_id == aws_api_gateway_resource.jobs.id &&
      aws_api_gateway_resource.jobs.path_part == "jobs" && aws_api_gateway_resource.jobs.parent_id == aws_api_gateway_rest_api.this.root_resource_id
    )
    error_message = "The method must be POST /jobs."
  }
  assert {
    condition = (
      aws_api_gateway_integration.post_jobs.http_method == "POST" && aws_api_gateway_integration.post_jobs.resource_id == aws_api_gateway_resource.jobs.id &&
      aws_api_gateway_integration.post_jobs.type == "AWS" && aws_api_gateway_integration.post_jobs.integration_http_method == "POST" &&
      aws_api_gateway_integration.post_jobs.uri == "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/request-test"
    )
    error_message = "POST /jobs must go to the request queue, without compute in between: ${aws_api_gateway_integration.post_jobs.uri}"
  }
  assert {
    condition     = !strcontains(lower(aws_api_gateway_integration.post_jobs.uri), "lambda")
    error_message = "There must be no function between POST /jobs and the queue."
  }
  assert {
    condition     = aws_api_gateway_integration.post_jobs.passthrough_behavior == "NEVER" && keys(aws_api_gateway_integration.post_jobs.request_templates) == tolist(["application/json"])
    error_message = "A body of another content type was not validated, and must not reach the queue."
  }
  assert {
    condition = aws_api_gateway_integration.post_jobs.request_parameters == tomap({
      "integration.request.header.Accept"       = "'application/json'"
      "integration.request.header.Content-Type" = "'application/x-www-form-urlencoded'"
    })
    error_message = "SQS reads the call as a form, and must answer in JSON, whatever the caller accepts."
  }
  assert {
    condition = alltrue([
      for part in ["Action=SendMessage&", "&MessageBody=$util.urlEncode($input.body)&", "&MessageGroupId="] :
      strcontains(aws_api_gateway_integration.post_jobs.request_templates["application/json"], part)
    ])
    error_message = "The call must be SendMessage with the encoded body, and the user as its group."
  }
  assert {
    condition     = !can(regex("\\s", aws_api_gateway_integration.post_jobs.request_templates["application/json"])) && !strcontains(aws_api_gateway_integration.post_jobs.request_templates["application/json"], "#")
    error_message = "White space would become part of a parameter, and a branch is one too many here."
  }

  # R-J1: validated.
  assert {
    condition = (
      aws_api_gateway_method.post_jobs.request_validator_id == aws_api_gateway_request_validator.body.id && aws_api_gateway_request_validator.body.validate_request_body &&
      aws_api_gateway_method.post_jobs.request_models == tomap({ "application/json" = aws_api_gateway_model.job_request.name })
    )
    error_message = "The body of POST /jobs must be validated by the model."
  }
  assert {
    condition     = aws_api_gateway_model.job_request.content_type == "application/json" && jsondecode(aws_api_gateway_model.job_request.schema)["$schema"] == "http://json-schema.org/draft-04/schema#"
    error_message = "The model must be JSON Schema draft-04, the only one that API Gateway knows."
  }
  assert {
    condition = (
      jsondecode(aws_api_gateway_model.job_request.schema).type == "object" &&
      toset(jsondecode(aws_api_gateway_model.job_request.schema).required) == toset(["userId", "jobType", "input"]) &&
      jsondecode(aws_api_gateway_model.job_request.schema).additionalProperties == false
    )
    error_message = "The model must want userId, jobType and input, and nothing that it does not know."
  }
  # Without jobId: it is the answer's.
  assert {
    condition = { for name, rule in jsondecode(aws_api_gateway_model.job_request.schema).properties : name => rule.type } == {
      attachments     = "array"
      deadlineSeconds = "integer"
      input           = "object"
      jobType         = "string"
      traceId         = "string"
      userId          = "string"
    }
    error_message = "The model must have exactly the agreed fields."
  }
  assert {
    condition = (
      jsondecode(aws_api_gateway_model.job_request.schema).properties.deadlineSeconds.minimum == 1 &&
      jsondecode(aws_api_gateway_model.job_request.schema).properties.deadlineSeconds.maximum == 14 * 24 * 3600
    )
    error_message = "A deadline must be between a second and 14 days."
  }
  assert {
    condition = { for name, rule in jsondecode(aws_api_gateway_model.job_request.schema).properties : name => rule.pattern if can(rule.pattern) } == {
      jobType = "^[a-z0-9][a-z0-9-]{0,63}(?![^a-z0-9-])$"
      traceId = "^[A-Za-z0-9._:=;-]{1,256}(?![^A-Za-z0-9._:=;-])$"
      userId  = "^[A-Za-z0-9._:@-]{1,128}(?![^A-Za-z0-9._:@-])$"
    }
    error_message = "The patterns are not those that the worker applies."
  }
  # What the validator finds wrong is quoted in the answer, which knows no escaping: see gateway_responses.tf.
  assert {
    condition = alltrue([
      for rule in values(jsondecode(aws_api_gateway_model.job_request.schema).properties) :
      !can(rule.enum) && !can(regex("[\"\\\\]", try(rule.pattern, "")))
    ])
    error_message = "The model's rules must hold no quotation marks, backslashes or enums."
  }

  # R-J2: the default is the success, and SQS's refusals are told apart before it.
  assert {
    condition = {
      for key, response in aws_api_gateway_integration_response.post_jobs :
      response.status_code => coalesce(response.selection_pattern, "default")
    } == { "202" = "default", "400" = "400", "413" = "413", "503" = "40[1-9]|41[0-24-9]|4[2-9]\\d|5\\d{2}" }
    error_message = "The answers of POST /jobs must be 202 by default, 400, 413 and 503."
  }
  assert {
    condition = alltrue(flatten([
      for status in [for number in range(400, 600) : tostring(number)] : [
        for answer in [[
          for response in aws_api_gateway_integration_response.post_jobs : response.status_code
          if can(regex("^(?:${coalesce(response.selection_pattern, "default")})$", status))
        ]] : length(answer) == 1 && !startswith(join(" ", answer), "2")
      ]
    ]))
    error_message = "Some refusal of SQS would be answered as a success, or by two answers."
  }
  # AccessDenied and RequestThrottled are 403: what SQS refuses for reasons of ours is never the caller's doing.
  assert {
    condition = alltrue([
      for number in range(401, 600) : [
        for response in aws_api_gateway_integration_response.post_jobs : response.status_code
        if can(regex("^(?:${coalesce(response.selection_pattern, "default")})$", tostring(number)))
      ] == [number == 413 ? "413" : "503"]
    ])
    error_message = "Every status of SQS but 400 and 413 must be answered as a fault of ours."
  }
  assert {
    condition = alltrue([
      for response in aws_api_gateway_integration_response.post_jobs :
      !can(regex("^(?:${coalesce(response.selection_pattern, "default")})$", "200"))
    ])
    error_message = "SQS's 200 must be answered by the default."
  }
  assert {
    condition = alltrue([
      for key, response in aws_api_gateway_integration_response.post_jobs :
      response.http_method == "POST" && response.resource_id == aws_api_gateway_resource.jobs.id &&
      aws_api_gateway_method_response.post_jobs[key].status_code == response.status_code
    ])
    error_message = "Every answer must be declared on POST /jobs."
  }
  assert {
    condition = alltrue([
      for part in ["\"jobId\": \"$jobId\"", "\"status\": \"queued\"", "$context.responseOverride.header.Location"] :
      strcontains(aws_api_gateway_integration_response.post_jobs["202"].response_templates["application/json"], part)
    ])
    error_message = "202 must give the job's id and status, and where to look."
  }
  assert {
    condition     = aws_api_gateway_method_response.post_jobs["202"].response_parameters == tomap({ "method.response.header.Location" = true })
    error_message = "202 must declare the Location header."
  }
  assert {
    condition = {
      for status in ["413", "503"] : status => jsondecode(aws_api_gateway_integration_response.post_jobs[status].response_templates["application/json"]).error.code
    } == { "413" = "REQUEST_TOO_LARGE", "503" = "QUEUE_UNAVAILABLE" }
    error_message = "SQS's refusals must have their own codes."
  }
  # Which of the two it is: tests/unit/test_api_templates.py.
  assert {
    condition = { for body in regexall("'(\\{.+\\})'", aws_api_gateway_integration_response.post_jobs["400"].response_templates["application/json"]) :
      jsondecode(body[0]).error.code => strcontains(jsondecode(body[0]).error.message, "256 KiB")
    } == { MESSAGE_REFUSED = true, QUEUE_UNAVAILABLE = false }
    error_message = "A 400 of SQS must be answered by one of two errors, and MESSAGE_REFUSED must say how large a job may be."
  }

  # The role can do one thing.
  assert {
    condition = jsondecode(aws_iam_role_policy.post_jobs.policy).Statement == [{
      Sid      = "SendJobs"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = ["arn:aws:sqs:eu-west-1:123456789012:request-test"]
    }]
    error_message = "The role may do more than send to the request queue: ${aws_iam_role_policy.post_jobs.policy}"
  }
  assert {
    condition = jsondecode(aws_iam_role.post_jobs.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
    error_message = "Only API Gateway may take the role."
  }
  assert {
    condition = (
      aws_api_gateway_integration.post_jobs.credentials == aws_iam_role.post_jobs.arn && aws_iam_role_policy.post_jobs.role == aws_iam_role.post_jobs.id &&
      aws_iam_role.post_jobs.name == "post-test-eu-west-1" && aws_iam_role.post_jobs.path == "/" && aws_iam_role.post_jobs.permissions_boundary == null
    )
    error_message = "POST /jobs must send in the name of the role, which has neither path nor boundary by default."
  }
}

run "the_rest_of_the_api" {
  command = plan

  module {
    source = "../../modules/api"
  }

  assert {
    condition     = aws_api_gateway_rest_api.this.name == "api-test" && aws_api_gateway_rest_api.this.endpoint_configuration[0].types == tolist(["REGIONAL"])
    error_message = "The API must be regional."
  }

  # R-J6: what is read, listed, cancelled or submitted under an id is the function's.
  assert {
    condition = (
      aws_api_gateway_resource.job.path_part == "{jobId}" && aws_api_gateway_resource.job.parent_id == aws_api_gateway_resource.jobs.id &&
      toset([for method in aws_api_gateway_method.function : "${method.http_method} ${method.resource_id}"]) == toset(["GET jobs", "PUT job", "GET job", "DELETE job", "POST uploads"]) &&
      aws_api_gateway_resource.uploads.path_part == "uploads" && aws_api_gateway_resource.uploads.parent_id == aws_api_gateway_rest_api.this.root_resource_id
    )
    error_message = "The function's methods must be GET /jobs, PUT, GET and DELETE /jobs/{jobId}, and POST /uploads."
  }
  assert {
    condition = alltrue([
      for key, integration in aws_api_gateway_integration.function :
      integration.resource_id == aws_api_gateway_method.function[key].resource_id && integration.http_method == aws_api_gateway_method.function[key].http_method &&
      integration.type == "AWS_PROXY" && integration.integration_http_method == "POST" && integration.uri == var.jobs_function.invoke_arn
    ]) && keys(aws_api_gateway_integration.function) == keys(aws_api_gateway_method.function)
    error_message = "Each of them must call the function; Lambda is called by POST."
  }
  # The function checks what comes, with messages that name the field.
  assert {
    condition     = alltrue([for method in aws_api_gateway_method.function : length(coalesce(method.request_models, {})) == 0 && length(coalesce(method.request_parameters, {})) == 0])
    error_message = "The gateway must validate nothing for the function."
  }
  assert {
    condition = alltrue([
      for permission in aws_lambda_permission.function :
      permission.function_name == "jobs-api-test" && permission.qualifier == "live" && permission.action == "lambda:InvokeFunction" && permission.principal == "apigateway.amazonaws.com"
      ]) && toset(values(aws_lambda_permission.function)[*].source_arn) == toset([
      "arn:aws:execute-api:eu-west-1:123456789012:abc123/*/GET/jobs",
      "arn:aws:execute-api:eu-west-1:123456789012:abc123/*/PUT/jobs/*",
      "arn:aws:execute-api:eu-west-1:123456789012:abc123/*/GET/jobs/*",
      "arn:aws:execute-api:eu-west-1:123456789012:abc123/*/DELETE/jobs/*",
      "arn:aws:execute-api:eu-west-1:123456789012:abc123/*/POST/uploads",
    ])
    error_message = "This API, on these paths only, must be allowed to call the function."
  }
  assert {
    condition = alltrue([
      for method in concat([aws_api_gateway_method.post_jobs], values(aws_api_gateway_method.function)) :
      method.authorization == "AWS_IAM" && !method.api_key_required && method.authorization_scopes == null
    ])
    error_message = "All methods must want signed requests, and no API key."
  }
  assert {
    condition = (
      length(aws_api_gateway_authorizer.this) == 0 && length(aws_lambda_permission.authorizer) == 0 && length(aws_api_gateway_usage_plan.this) == 0 &&
      length(aws_api_gateway_api_key.this) == 0 && length(aws_api_gateway_rest_api_policy.this) == 0 && length(aws_wafv2_web_acl_association.this) == 0 &&
      length(aws_api_gateway_domain_name.this) == 0 && output.api_key_ids == {} && output.domain_target == null && output.domain_zone_id == null
    )
    error_message = "What was not asked for must not be there."
  }

  # Every other method says so, instead of 403 "Missing Authentication Token".
  assert {
    condition     = { for key, method in aws_api_gateway_method.not_allowed : method.resource_id => method.http_method } == { root = "ANY", jobs = "ANY", job = "ANY", uploads = "ANY" }
    error_message = "The root and all resources must have a method ANY."
  }
  assert {
    condition = alltrue([
      for key, integration in aws_api_gateway_integration.not_allowed :
      integration.type == "MOCK" && integration.http_method == "ANY" && integration.passthrough_behavior == "NEVER" &&
      integration.resource_id == aws_api_gateway_method.not_allowed[key].resource_id
    ])
    error_message = "ANY must be answered by a mock, which does not read the caller's body."
  }
  assert {
    condition = alltrue(flatten([
      for integration in aws_api_gateway_integration.not_allowed : [
        for content_type in ["application/json", "application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] :
        jsondecode(integration.request_templates[content_type]) == { statusCode = 405 }
      ]
    ]))
    error_message = "A body of any usual content type must be answered with 405."
  }
  assert {
    condition = { for key, response in aws_api_gateway_integration_response.not_allowed : response.resource_id => [
      response.http_method, response.status_code, aws_api_gateway_method_response.not_allowed[key].status_code,
      jsondecode(response.response_templates["application/json"]).error.code,
      try(response.response_parameters["method.response.header.Allow"], "none"),
      ] } == {
      root    = ["ANY", "405", "405", "METHOD_NOT_ALLOWED", "none"]
      jobs    = ["ANY", "405", "405", "METHOD_NOT_ALLOWED", "'GET, POST'"]
      job     = ["ANY", "405", "405", "METHOD_NOT_ALLOWED", "'DELETE, GET, PUT'"]
      uploads = ["ANY", "405", "405", "METHOD_NOT_ALLOWED", "'POST'"]
    }
    error_message = "ANY must be answered with 405, the reason, and the methods that are allowed."
  }

  # Whoever has no credentials yet gets the explanation too.
  assert {
    condition     = alltrue([for method in aws_api_gateway_method.not_allowed : method.authorization == "NONE" && method.api_key_required == null])
    error_message = "ANY must be answered without credentials."
  }

  assert {
    condition = (
      aws_api_gateway_stage.this.stage_name == "v1" && aws_api_gateway_stage.this.deployment_id == aws_api_gateway_deployment.this.id &&
      aws_api_gateway_stage.this.xray_tracing_enabled
    )
    error_message = "The stage must be v1, traced, and show the deployment."
  }
  # It fails in an account without a logging role, which a module must not set.
  assert {
    condition     = length(aws_api_gateway_stage.this.access_log_settings) == 0 && length(aws_cloudwatch_log_group.access) == 0
    error_message = "There must be no access log unless it is asked for."
  }
  assert {
    condition     = !can(regex("resource \"aws_api_gateway_account\"", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")])))
    error_message = "The account's logging role is not the module's to set."
  }
  assert {
    condition = (
      aws_api_gateway_method_settings.all.method_path == "*/*" && aws_api_gateway_method_settings.all.stage_name == aws_api_gateway_stage.this.stage_name &&
      aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit == 100 && aws_api_gateway_method_settings.all.settings[0].throttling_burst_limit == 200
    )
    error_message = "Every method must be throttled to 100 requests a second, 200 at once."
  }
  # The alarm post-errors counts what the gateway answers to POST alone.
  assert {
    condition = [for settings in aws_api_gateway_method_settings.post_jobs.settings : [settings.metrics_enabled, settings.throttling_rate_limit, settings.throttling_burst_limit]] == [
      [true, aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit, aws_api_gateway_method_settings.all.settings[0].throttling_burst_limit],
    ] && aws_api_gateway_method_settings.post_jobs.method_path == "jobs/POST"
    error_message = "POST /jobs must have metrics of its own, and the throttles of the others, which its settings replace."
  }

  # R-Q5
  assert {
    condition = alltrue([
      for tags in [aws_api_gateway_rest_api.this.tags, aws_api_gateway_stage.this.tags, aws_iam_role.post_jobs.tags] : tags == tomap(var.tags)
    ])
    error_message = "The API, its stage and its role must carry the tags."
  }

  assert {
    condition = (
      output.id == "abc123" && output.stage_name == "v1" && output.invoke_url == aws_api_gateway_stage.this.invoke_url &&
      output.url == output.invoke_url && output.stage_arn == aws_api_gateway_stage.this.arn &&
      output.execution_arn == aws_api_gateway_stage.this.execution_arn && output.role_policy == aws_iam_role_policy.post_jobs.policy
    )
    error_message = "The outputs must describe the API and its stage."
  }
}

run "gateway_responses" {
  command = plan

  module {
    source = "../../modules/api"
  }

  assert {
    condition = { for type, response in aws_api_gateway_gateway_response.this : response.response_type => [
      coalesce(response.status_code, "kept"), regex("\"code\": \"([A-Z_]+)\"", response.response_templates["application/json"])[0],
      ] } == {
      ACCESS_DENIED                  = ["403", "FORBIDDEN"]
      API_CONFIGURATION_ERROR        = ["500", "INTERNAL_ERROR"]
      AUTHORIZER_CONFIGURATION_ERROR = ["500", "INTERNAL_ERROR"]
      AUTHORIZER_FAILURE             = ["500", "INTERNAL_ERROR"]
      BAD_REQUEST_BODY               = ["400", "BAD_REQUEST"]
      BAD_REQUEST_PARAMETERS         = ["400", "BAD_REQUEST"]
      DEFAULT_4XX                    = ["kept", "FORBIDDEN"]
      DEFAULT_5XX                    = ["kept", "INTERNAL_ERROR"]
      EXPIRED_TOKEN                  = ["403", "FORBIDDEN"]
      INTEGRATION_FAILURE            = ["502", "INTERNAL_ERROR"]
      INTEGRATION_TIMEOUT            = ["504", "TIMEOUT"]
      INVALID_API_KEY                = ["403", "FORBIDDEN"]
      INVALID_SIGNATURE              = ["403", "FORBIDDEN"]
      MISSING_AUTHENTICATION_TOKEN   = ["403", "FORBIDDEN"]
      QUOTA_EXCEEDED                 = ["429", "QUOTA_EXCEEDED"]
      REQUEST_TOO_LARGE              = ["413", "REQUEST_TOO_LARGE"]
      RESOURCE_NOT_FOUND             = ["404", "NOT_FOUND"]
      THROTTLED                      = ["429", "THROTTLED"]
      UNAUTHORIZED                   = ["401", "UNAUTHORIZED"]
      UNSUPPORTED_MEDIA_TYPE         = ["415", "UNSUPPORTED_MEDIA_TYPE"]
      WAF_FILTERED                   = ["403", "FORBIDDEN"]
    }
    error_message = "The statuses and codes of the gateway's own answers are not the agreed ones."
  }

  # With the values that the gateway puts in: messageString comes with its quotation marks, or is null;
  # validationErrorString comes without, and is escaped.
  assert {
    condition = alltrue(flatten([
      for response in aws_api_gateway_gateway_response.this : [
        for message in ["null", jsonencode("It's a \"quoted\" \\ message")] : [
          for body in [jsondecode(replace(replace(response.response_templates["application/json"],
            "$context.error.messageString", message),
            "$context.error.validationErrorString", "[object has missing required properties ([\\\"userId\\\"])]"
          ))] : keys(body) == ["error"] && keys(body.error) == ["code", "message"]
        ]
      ]
    ]))
    error_message = "Some answer of the gateway is not {\"error\": {\"code\", \"message\"}}."
  }
  assert {
    condition = alltrue([
      for response in aws_api_gateway_gateway_response.this :
      !strcontains(replace(replace(response.response_templates["application/json"], "$context.error.messageString", ""), "$context.error.validationErrorString", ""), "$")
    ])
    error_message = "Gateway responses know no VTL, only $context values; the test above knows two of them."
  }
  # AWS's own words on credentials name neither the rule nor the way out.
  assert {
    condition = [for type, response in aws_api_gateway_gateway_response.this : type if strcontains(response.response_templates["application/json"], "messageString")] == ["BAD_REQUEST_PARAMETERS"] && alltrue([
      for type, hint in { ACCESS_DENIED = "execute-api:Invoke", INVALID_SIGNATURE = "query sorted by name", DEFAULT_4XX = "Bearer", EXPIRED_TOKEN = "get new ones", MISSING_AUTHENTICATION_TOKEN = "SigV4" } :
      strcontains(jsondecode(aws_api_gateway_gateway_response.this[type].response_templates["application/json"]).error.message, hint)
    ])
    error_message = "An answer about credentials must say what the API takes, and what to do."
  }
  assert {
    condition     = strcontains(aws_api_gateway_gateway_response.this["BAD_REQUEST_BODY"].response_templates["application/json"], "$context.error.validationErrorString")
    error_message = "A refused body must be answered with what is wrong."
  }
  assert {
    condition = alltrue([
      for type, response in aws_api_gateway_gateway_response.this :
      keys(response.response_templates) == tolist(["application/json"]) && response.rest_api_id == "abc123" &&
      try(response.response_parameters["gatewayresponse.header.Retry-After"], "none") == (type == "THROTTLED" ? "'1'" : "none")
    ])
    error_message = "Every answer must be JSON and of this API, and THROTTLED say when to try again."
  }
}

run "every_value_can_be_changed" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    stage_name               = "v2"
    authorization            = "NONE"
    throttling_rate_limit    = 7
    throttling_burst_limit   = 9
    access_logs              = true
    log_retention_days       = 14
    kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    role_path                = "/platform/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = aws_api_gateway_stage.this.stage_name == "v2" && output.stage_name == "v2"
    error_message = "The stage must have the given name."
  }
  assert {
    condition = alltrue([
      for method in concat([aws_api_gateway_method.post_jobs], values(aws_api_gateway_method.function)) : method.authorization == "NONE"
    ])
    error_message = "All methods must have the given authorization."
  }
  assert {
    condition = alltrue([
      for settings in [aws_api_gateway_method_settings.all.settings[0], aws_api_gateway_method_settings.post_jobs.settings[0]] :
      settings.throttling_rate_limit == 7 && settings.throttling_burst_limit == 9
    ])
    error_message = "The methods must be throttled to the given limits."
  }
  assert {
    condition     = aws_iam_role.post_jobs.path == "/platform/" && aws_iam_role.post_jobs.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The role must have the given path and permissions boundary."
  }

  # R-Q6: SQS uses a customer key in the name of the sender.
  assert {
    condition = jsondecode(aws_iam_role_policy.post_jobs.policy).Statement == [
      { Sid = "SendJobs", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [var.request_queue.arn] },
      { Sid = "UseQueueKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] },
    ]
    error_message = "The role must be allowed to use the queue's key, and nothing else: ${aws_iam_role_policy.post_jobs.policy}"
  }

  assert {
    condition = (
      [for group in aws_cloudwatch_log_group.access : [group.name, group.retention_in_days]] == [["/aws/apigateway/api-test", 14]] &&
      aws_cloudwatch_log_group.access[0].tags == tomap(var.tags) &&
      aws_api_gateway_stage.this.access_log_settings[*].destination_arn == tolist([aws_cloudwatch_log_group.access[0].arn])
    )
    error_message = "The access log must go to a group of its own, with the given retention."
  }
  # A validation error repeats parts of the body.
  assert {
    condition = alltrue([
      for value in values(jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format)) :
      startswith(value, "$context.") && !can(regex("error\\.(message|validation)|authorizer", value))
    ])
    error_message = "The access log must be JSON, and hold nothing of the body."
  }
}

# A deployment is a snapshot: whatever shapes the API must be in the hash that makes a new one.
run "deployment" {
  command = plan

  module {
    source = "../../modules/api"
  }

  # All of them other than the defaults and the other runs' values.
  variables {
    cors          = { allow_origins = ["https://a.example.com", "https://b.example.com"], max_age_seconds = 3600 }
    authorization = "NONE"
    request_queue = { name = "other-test", arn = "arn:aws:sqs:eu-west-1:123456789012:other-test" }
    jobs_function = {
      name       = "other-api-test"
      alias      = "live"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:other-api-test:live/invocations"
    }
  }

  assert {
    condition     = aws_api_gateway_deployment.this.triggers == tomap({ redeployment = sha1(jsonencode(local.api_shape)) })
    error_message = "The deployment must go out when the shape of the API changes."
  }

  # The values that come from outside.
  assert {
    condition = (
      local.api_shape.authorization[0] == aws_api_gateway_method.post_jobs.authorization &&
      alltrue([for method in aws_api_gateway_method.function : local.api_shape.authorization[0] == method.authorization]) &&
      local.api_shape.request_queue_uri == aws_api_gateway_integration.post_jobs.uri && local.api_shape.role_arn == aws_api_gateway_integration.post_jobs.credentials &&
      alltrue([for integration in aws_api_gateway_integration.function : local.api_shape.jobs_function_arn == integration.uri])
    )
    error_message = "The hash must cover the authorization and the targets of all methods."
  }
  assert {
    condition = (
      local.api_shape.model == aws_api_gateway_model.job_request.schema &&
      local.api_shape.request_template == aws_api_gateway_integration.post_jobs.request_templates["application/json"]
    )
    error_message = "The hash must cover the model and the request template."
  }
  assert {
    condition = alltrue([
      for key, response in aws_api_gateway_integration_response.post_jobs :
      strcontains(jsonencode(local.api_shape), jsonencode(response.response_templates["application/json"])) &&
      strcontains(jsonencode(local.api_shape), jsonencode(response.selection_pattern))
    ])
    error_message = "The hash must cover the answers of POST /jobs."
  }
  assert {
    condition = alltrue([
      for key, response in aws_api_gateway_integration_response.not_allowed :
      strcontains(jsonencode(local.api_shape), jsonencode(response.response_templates["application/json"]))
    ])
    error_message = "The hash must cover the answers of ANY."
  }
  assert {
    condition = alltrue([
      for type, response in aws_api_gateway_gateway_response.this :
      strcontains(jsonencode(local.api_shape), jsonencode(response.response_templates["application/json"]))
    ])
    error_message = "The hash must cover the gateway responses."
  }

  # What is written down rather than given: the files that hold it.
  assert {
    condition = local.api_shape.sources == {
      for name in fileset(path.module, "*.tf") : name => filesha1("${path.module}/${name}")
      if can(regex("resource \"aws_api_gateway_(rest_api|resource|method|method_response|integration|integration_response|model|request_validator|authorizer|gateway_response|rest_api_policy)\"", file("${path.module}/${name}")))
    }
    error_message = "The hash must cover every file that defines a part of the API."
  }
  assert {
    condition = alltrue([
      for name in fileset(path.module, "templates/*") : contains(
        [for text in concat([local.api_shape.request_template, local.api_shape.cors[3]], [for response in values(local.api_shape.post_responses) : trimprefix(response.template, local.cors_template)]) : trimspace(text)],
        trimspace(templatefile("${path.module}/${name}", {
          user        = "$input.path('$.userId')"
          refused     = local.error_bodies.message_refused
          unavailable = local.error_bodies.queue_unavailable
          origins     = jsonencode(local.cors_origins)
          first       = local.cors_origins[0]
        })),
      )
    ])
    error_message = "The hash must cover every template file."
  }
}

# ---------------------------------------------------------------------------------------------------
# Pages in browsers: docs/access.md. What the template picks: tests/unit/test_api_templates.py.
# ---------------------------------------------------------------------------------------------------

run "without_cors" {
  command = plan

  module {
    source = "../../modules/api"
  }

  assert {
    condition     = length(aws_api_gateway_method.preflight) == 0 && length(aws_api_gateway_integration_response.preflight) == 0
    error_message = "Without cors, OPTIONS must be a method like any other that there is not."
  }
  assert {
    condition = !strcontains(jsonencode([
      values(aws_api_gateway_gateway_response.this)[*].response_parameters, values(aws_api_gateway_integration_response.post_jobs)[*].response_parameters,
      values(aws_api_gateway_integration_response.not_allowed)[*].response_parameters, values(aws_api_gateway_integration_response.post_jobs)[*].response_templates,
    ]), "Access-Control")
    error_message = "Without cors, no answer may let a page read it."
  }
}

run "cors_of_one_origin" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", type = "REQUEST", identity_source = "method.request.header.Authorization, method.request.header.X-Tenant", result_ttl_seconds = 300 }
    usage_plan        = { keys = { web = {} } }
    cors              = { allow_origins = ["https://app.example.com"], max_age_seconds = 3600 }
  }

  # A browser sends no credentials with a preflight.
  assert {
    condition = toset([for method in aws_api_gateway_method.preflight : "${method.http_method} ${method.resource_id} ${method.authorization}"]) == toset([
      "OPTIONS root NONE", "OPTIONS jobs NONE", "OPTIONS job NONE", "OPTIONS uploads NONE",
    ]) && alltrue([for method in aws_api_gateway_method.preflight : method.api_key_required == null && method.authorizer_id == null])
    error_message = "Every resource must answer OPTIONS, to everybody."
  }
  assert {
    condition = alltrue([
      for key, integration in aws_api_gateway_integration.preflight : integration.type == "MOCK" && integration.passthrough_behavior == "NEVER" &&
      integration.resource_id == aws_api_gateway_method.preflight[key].resource_id && jsondecode(integration.request_templates["application/json"]) == { statusCode = 200 }
    ])
    error_message = "A preflight must be answered by the gateway itself."
  }
  assert {
    condition = { for key, response in aws_api_gateway_integration_response.preflight : key => response.response_parameters["method.response.header.Access-Control-Allow-Methods"] } == {
      root = "'OPTIONS'", jobs = "'GET, OPTIONS, POST'", job = "'DELETE, GET, OPTIONS, PUT'", uploads = "'OPTIONS, POST'",
    }
    error_message = "A preflight must name the methods that there are."
  }
  # Those of the authorizer's own headers too.
  assert {
    condition = alltrue([
      for key, response in aws_api_gateway_integration_response.preflight :
      { for name, value in response.response_parameters : trimprefix(name, "method.response.header.Access-Control-") => value if !endswith(name, "Methods") } == {
        Allow-Origin  = "'https://app.example.com'"
        Allow-Headers = "'Authorization, Content-Type, If-None-Match, X-Api-Key, X-Amz-Content-Sha256, X-Amz-Date, X-Amz-Security-Token, X-Amz-User-Agent, X-Tenant'"
        Max-Age       = "'3600'"
      } && keys(aws_api_gateway_method_response.preflight[key].response_parameters) == keys(response.response_parameters) && response.response_templates["application/json"] == ""
    ])
    error_message = "A preflight must say who may send what, and for how long."
  }
  # Every answer, or a page could not tell an error from a network that is down.
  assert {
    condition = alltrue([
      for parameters in concat(
        [for response in aws_api_gateway_gateway_response.this : { for name, value in response.response_parameters : trimprefix(name, "gatewayresponse.header.") => value }],
        [for response in concat(values(aws_api_gateway_integration_response.post_jobs), values(aws_api_gateway_integration_response.not_allowed)) : {
          for name, value in response.response_parameters : trimprefix(name, "method.response.header.") => value
        }],
        ) : { for name, value in parameters : name => value if startswith(name, "Access-") || name == "Vary" } == {
        Access-Control-Allow-Origin   = "'https://app.example.com'"
        Access-Control-Expose-Headers = "'ETag, Location, Retry-After, x-amzn-RequestId'"
      }
    ])
    error_message = "Every answer of the gateway must let the origin's pages read it."
  }
  assert {
    condition = alltrue(flatten([
      for responses in [
        [aws_api_gateway_integration_response.post_jobs, aws_api_gateway_method_response.post_jobs],
        [aws_api_gateway_integration_response.not_allowed, aws_api_gateway_method_response.not_allowed],
      ] : [for key, response in responses[0] : length(setsubtract(keys(response.response_parameters), keys(responses[1][key].response_parameters))) == 0]
    ]))
    error_message = "A header that a method response does not declare is dropped."
  }
  assert {
    condition = { for key, response in aws_api_gateway_integration_response.not_allowed : key => response.response_parameters["method.response.header.Allow"] } == {
      root = "'OPTIONS'", jobs = "'GET, OPTIONS, POST'", job = "'DELETE, GET, OPTIONS, PUT'", uploads = "'OPTIONS, POST'",
    }
    error_message = "A 405 must name OPTIONS among the methods that there are."
  }
  assert {
    condition = alltrue([
      for response in concat(values(aws_api_gateway_integration_response.preflight), values(aws_api_gateway_integration_response.not_allowed), values(aws_api_gateway_integration_response.post_jobs)) :
      alltrue([for value in values(response.response_parameters) : strcontains(jsonencode(local.api_shape), trim(value, "'"))])
    ])
    error_message = "The hash must cover the headers of the answers."
  }
}

run "cors_of_several_origins" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://app.example.com", "http://localhost:3000"], max_age_seconds = 0 }
  }

  # The template overrides the first origin with the caller's own, if it is one of them.
  assert {
    condition = alltrue([
      for response in concat(values(aws_api_gateway_integration_response.preflight), values(aws_api_gateway_integration_response.post_jobs)) :
      response.response_parameters["method.response.header.Access-Control-Allow-Origin"] == "'https://app.example.com'" &&
      response.response_parameters["method.response.header.Vary"] == "'Origin'" &&
      startswith(response.response_templates["application/json"], "#set($origins = [\"https://app.example.com\",\"http://localhost:3000\"])") &&
      strcontains(jsonencode(local.api_shape), jsonencode(local.cors_template))
    ])
    error_message = "An answer whose template can pick an origin must, and no cache may give it to another."
  }
  assert {
    condition     = aws_api_gateway_integration_response.preflight["job"].response_parameters["method.response.header.Access-Control-Max-Age"] == "'0'"
    error_message = "The given age must be the preflight's."
  }
  # They have no template that could pick, and hold nothing of a job.
  assert {
    condition = alltrue(concat(
      [for response in aws_api_gateway_gateway_response.this : response.response_parameters["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"],
      [for response in aws_api_gateway_integration_response.not_allowed : response.response_parameters["method.response.header.Access-Control-Allow-Origin"] == "'*'"],
    ))
    error_message = "The gateway's own answers can't pick an origin."
  }
}

run "cors_of_every_origin" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["*"], max_age_seconds = 86400 }
  }

  assert {
    condition = alltrue([
      for response in concat(values(aws_api_gateway_integration_response.preflight), values(aws_api_gateway_integration_response.post_jobs), values(aws_api_gateway_integration_response.not_allowed)) :
      response.response_parameters["method.response.header.Access-Control-Allow-Origin"] == "'*'" && !contains(keys(response.response_parameters), "method.response.header.Vary")
    ])
    error_message = "Every origin must be let in."
  }
  # Cookies and the like: with them, every page on the internet would act for whoever looks at it.
  assert {
    condition     = !strcontains(jsonencode(local.api_shape.cors), "Credentials")
    error_message = "No origin may send what the browser sends by itself."
  }
}

run "cors_of_origins_that_are_just_allowed" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    cors = { allow_origins = ["https://a", "https://xn--bcher-kva.example:8443", "http://localhost", "http://127.0.0.1:3000", "http://[::1]:3000"], max_age_seconds = 3600 }
  }

  assert {
    condition     = length(aws_api_gateway_method.preflight) == 4
    error_message = "These are origins."
  }
}

# ---------------------------------------------------------------------------------------------------
# Who may call: docs/access.md
# ---------------------------------------------------------------------------------------------------

run "cognito" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "COGNITO_USER_POOLS"
    cognito       = { user_pool_arns = ["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Abc"], scopes = ["jobs/use"] }
  }

  assert {
    condition = [for authorizer in aws_api_gateway_authorizer.this : [
      authorizer.rest_api_id, authorizer.type, one(authorizer.provider_arns), authorizer.identity_source, coalesce(authorizer.authorizer_uri, "none"),
      ]] == [[
      "abc123", "COGNITO_USER_POOLS", "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Abc", "method.request.header.Authorization", "none",
    ]]
    error_message = "The authorizer must take tokens of the pools, from the header Authorization."
  }
  assert {
    condition = alltrue([
      for method in concat([aws_api_gateway_method.post_jobs], values(aws_api_gateway_method.function)) :
      method.authorization == "COGNITO_USER_POOLS" && method.authorizer_id == "auth1" && method.authorization_scopes == toset(["jobs/use"])
    ])
    error_message = "Every method must ask the authorizer, and want the scopes."
  }
  assert {
    condition     = alltrue([for method in aws_api_gateway_method.not_allowed : method.authorization == "NONE"])
    error_message = "405 needs no token."
  }

  # The user is whom the token names: no field of the body, and both places of the message that say who.
  assert {
    condition = (
      toset(jsondecode(aws_api_gateway_model.job_request.schema).required) == toset(["jobType", "input"]) &&
      toset(keys(jsondecode(aws_api_gateway_model.job_request.schema).properties)) == toset(["jobType", "input", "attachments", "traceId", "deadlineSeconds"]) &&
      jsondecode(aws_api_gateway_model.job_request.schema).additionalProperties == false
    )
    error_message = "In a token mode the model must refuse userId."
  }
  assert {
    condition = alltrue([
      for part in ["&MessageGroupId=", "&MessageAttribute.1.Name=UserId&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue="] :
      strcontains(aws_api_gateway_integration.post_jobs.request_templates["application/json"], "${part}$util.urlEncode(\"$context.authorizer.claims.sub\")&")
    ]) && !strcontains(aws_api_gateway_integration.post_jobs.request_templates["application/json"], "userId")
    error_message = "The message must carry the token's sub as its user and its group: ${aws_api_gateway_integration.post_jobs.request_templates["application/json"]}"
  }
  # Nobody has to sign here.
  assert {
    condition     = !strcontains(aws_api_gateway_gateway_response.this["MISSING_AUTHENTICATION_TOKEN"].response_templates["application/json"], "SigV4")
    error_message = "In a token mode no answer may ask for a signature."
  }
  # A deployed API goes on asking the authorizer that it was deployed with.
  assert {
    condition = (
      local.api_shape.authorization == ["COGNITO_USER_POOLS", "auth1", toset(["jobs/use"])] &&
      strcontains(jsonencode(local.api_shape.authorizer), "userpool/eu-west-1_Abc")
    )
    error_message = "The hash must cover the authorizer and the scopes."
  }
}

run "cognito_id_tokens" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "COGNITO_USER_POOLS"
    cognito       = { user_pool_arns = ["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Abc"] }
  }

  # An empty list is not the same as none to the provider.
  assert {
    condition     = alltrue([for method in concat([aws_api_gateway_method.post_jobs], values(aws_api_gateway_method.function)) : method.authorization_scopes == null])
    error_message = "Without scopes the methods must want none: then the gateway takes ID tokens."
  }
}

run "lambda_authorizer" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization     = "CUSTOM"
    lambda_authorizer = { function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who", type = "TOKEN", identity_source = "method.request.header.Authorization", result_ttl_seconds = 300 }
  }

  assert {
    condition = [for authorizer in aws_api_gateway_authorizer.this : [
      authorizer.type, authorizer.authorizer_uri, authorizer.identity_source, tostring(authorizer.authorizer_result_ttl_in_seconds), tostring(length(coalesce(authorizer.provider_arns, []))),
      ]] == [[
      "TOKEN", "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:who/invocations",
      "method.request.header.Authorization", "300", "0",
    ]]
    error_message = "The authorizer must be the function, with the header Authorization, its answers kept for five minutes."
  }
  assert {
    condition = [for permission in aws_lambda_permission.authorizer : [
      permission.function_name, coalesce(permission.qualifier, "none"), permission.action, permission.principal, permission.source_arn,
      ]] == [[
      "arn:aws:lambda:eu-west-1:123456789012:function:who", "none", "lambda:InvokeFunction", "apigateway.amazonaws.com",
      "arn:aws:execute-api:eu-west-1:123456789012:abc123/authorizers/auth1",
    ]]
    error_message = "This authorizer, and nothing else of API Gateway, must be allowed to call the function."
  }
  assert {
    condition = alltrue([
      for method in concat([aws_api_gateway_method.post_jobs], values(aws_api_gateway_method.function)) :
      method.authorization == "CUSTOM" && method.authorizer_id == "auth1" && method.authorization_scopes == null
    ])
    error_message = "Every method must ask the authorizer."
  }
  assert {
    condition = alltrue([
      for part in ["&MessageGroupId=", "&MessageAttribute.1.Name=UserId&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue="] :
      strcontains(aws_api_gateway_integration.post_jobs.request_templates["application/json"], "${part}$util.urlEncode(\"$context.authorizer.principalId\")&")
    ]) && !contains(keys(jsondecode(aws_api_gateway_model.job_request.schema).properties), "userId")
    error_message = "The message must carry the principal as its user and its group, and the body none."
  }
  assert {
    condition     = strcontains(jsonencode(local.api_shape.authorizer), "function:who/invocations")
    error_message = "The hash must cover the authorizer."
  }
}

run "lambda_authorizer_with_everything" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    authorization = "CUSTOM"
    lambda_authorizer = {
      function_arn       = "arn:aws:lambda:eu-west-1:123456789012:function:who:live"
      type               = "REQUEST"
      identity_source    = "method.request.header.Authorization,method.request.header.X-Tenant"
      result_ttl_seconds = 0
    }
  }

  assert {
    condition = [for authorizer in aws_api_gateway_authorizer.this : [authorizer.type, authorizer.identity_source, tostring(authorizer.authorizer_result_ttl_in_seconds)]] == [[
      "REQUEST", "method.request.header.Authorization,method.request.header.X-Tenant", "0",
    ]]
    error_message = "The authorizer must have the given settings."
  }
  # Lambda keeps an alias' permissions apart from the function's.
  assert {
    condition = [for permission in aws_lambda_permission.authorizer : [permission.function_name, permission.qualifier]] == [[
      "arn:aws:lambda:eu-west-1:123456789012:function:who", "live",
    ]] && endswith(aws_api_gateway_authorizer.this[0].authorizer_uri, "function:who:live/invocations")
    error_message = "The alias must be the one that is called, and that may be."
  }
}

run "api_keys" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    usage_plan = {
      keys        = { web = { value = "01234567890123456789" }, mobile = {} }
      rate_limit  = 5
      burst_limit = 10
      quota       = { limit = 1000, period = "DAY" }
    }
  }

  # On top of the authorization, never instead of it.
  assert {
    condition = alltrue([
      for method in concat([aws_api_gateway_method.post_jobs], values(aws_api_gateway_method.function)) : method.api_key_required && method.authorization == "AWS_IAM"
    ]) && alltrue([for method in aws_api_gateway_method.not_allowed : method.api_key_required == null])
    error_message = "Every method but the 405s must want a key beside its authorization."
  }
  assert {
    condition = { for name, key in aws_api_gateway_api_key.this : name => [key.name, key.tags == tomap(var.tags)] } == {
      mobile = ["api-test-mobile", true], web = ["api-test-web", true]
    } && nonsensitive(aws_api_gateway_api_key.this["web"].value) == "01234567890123456789"
    error_message = "Each key must have its name and tags, and the given value."
  }
  assert {
    condition = (
      one(aws_api_gateway_usage_plan.this[0].api_stages).api_id == "abc123" && one(aws_api_gateway_usage_plan.this[0].api_stages).stage == "v1" &&
      aws_api_gateway_usage_plan.this[0].throttle_settings[0].rate_limit == 5 && aws_api_gateway_usage_plan.this[0].throttle_settings[0].burst_limit == 10 &&
      aws_api_gateway_usage_plan.this[0].quota_settings[0].limit == 1000 && aws_api_gateway_usage_plan.this[0].quota_settings[0].period == "DAY" &&
      aws_api_gateway_usage_plan.this[0].tags == tomap(var.tags)
    )
    error_message = "The usage plan must be that of the stage, with the given limits."
  }
  assert {
    condition     = alltrue([for key in aws_api_gateway_usage_plan_key.this : key.usage_plan_id == "plan1" && key.key_id == "key1" && key.key_type == "API_KEY"]) && length(aws_api_gateway_usage_plan_key.this) == 2
    error_message = "Each key must be in the usage plan."
  }
  assert {
    condition     = output.api_key_ids == { mobile = "key1", web = "key1" }
    error_message = "The keys' ids must come out by name; their values must not."
  }
  assert {
    condition     = local.api_shape.api_key_required && !strcontains(jsonencode(local.api_shape), "01234567890123456789")
    error_message = "The hash must cover that keys are asked for, without their values."
  }
}

# A value that Terraform may not show must not spread to where it is needed in the open.
run "api_keys_without_limits" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    usage_plan = { keys = { web = { value = sensitive("01234567890123456789") } } }
  }

  assert {
    condition     = length(aws_api_gateway_usage_plan.this[0].throttle_settings) == 0 && length(aws_api_gateway_usage_plan.this[0].quota_settings) == 0
    error_message = "Limits that are not given must not be set."
  }
  assert {
    condition     = !issensitive(aws_api_gateway_method.post_jobs.api_key_required) && !issensitive(aws_api_gateway_deployment.this.triggers) && !issensitive(output.api_key_ids)
    error_message = "A secret value must not make the rest of the plan secret."
  }
}

run "policy_firewall_and_domain" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    resource_policy = { json = "{\"Statement\": [{\"Effect\": \"Deny\", \"Principal\": \"*\", \"Action\": \"execute-api:Invoke\", \"Resource\": [\"execute-api:/*\", \"arn:aws:execute-api:eu-west-1:123456789012:other/*\"]}]}" }
    waf             = { web_acl_arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1" }
    domain          = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", base_path = "ai", security_policy = "TLS_1_2" }
  }

  assert {
    condition = [for policy in aws_api_gateway_rest_api_policy.this : [policy.rest_api_id, jsondecode(policy.policy).Statement[0].Resource]] == [[
      "abc123", ["arn:aws:execute-api:eu-west-1:123456789012:abc123/*", "arn:aws:execute-api:eu-west-1:123456789012:other/*"],
    ]]
    error_message = "The policy must be the API's, its short form written out as AWS stores it."
  }
  # AWS applies a policy with the next deployment only.
  assert {
    condition     = local.api_shape.resource_policy == aws_api_gateway_rest_api_policy.this[0].policy
    error_message = "The hash must cover the resource policy."
  }
  assert {
    condition = [for association in aws_wafv2_web_acl_association.this : [association.resource_arn, association.web_acl_arn]] == [[
      aws_api_gateway_stage.this.arn, "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1",
    ]]
    error_message = "The firewall must stand before the stage."
  }
  assert {
    condition = (
      aws_api_gateway_domain_name.this[0].domain_name == "jobs.example.com" && aws_api_gateway_domain_name.this[0].regional_certificate_arn == "arn:aws:acm:eu-west-1:123456789012:certificate/1" &&
      aws_api_gateway_domain_name.this[0].endpoint_configuration[0].types == tolist(["REGIONAL"]) && aws_api_gateway_domain_name.this[0].security_policy == "TLS_1_2" &&
      aws_api_gateway_domain_name.this[0].tags == tomap(var.tags) &&
      aws_api_gateway_base_path_mapping.this[0].domain_name == "jobs.example.com" && aws_api_gateway_base_path_mapping.this[0].api_id == "abc123" &&
      aws_api_gateway_base_path_mapping.this[0].stage_name == "v1" && aws_api_gateway_base_path_mapping.this[0].base_path == "ai"
    )
    error_message = "The domain must lead to the stage, under the base path."
  }
  assert {
    condition = (
      output.url == "https://jobs.example.com/ai" && output.invoke_url == aws_api_gateway_stage.this.invoke_url &&
      output.domain_target == "d-1.execute-api.eu-west-1.amazonaws.com" && output.domain_zone_id == "ZONE1"
    )
    error_message = "Callers must get the domain's URL, and whoever keeps the DNS what it points at."
  }
}

run "domain_without_a_base_path" {
  command = plan

  module {
    source = "../../modules/api"
  }

  variables {
    domain = { name = "jobs.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", security_policy = "TLS_1_0" }
  }

  assert {
    condition     = output.url == "https://jobs.example.com" && aws_api_gateway_domain_name.this[0].security_policy == "TLS_1_0" && aws_api_gateway_base_path_mapping.this[0].base_path == null
    error_message = "Without a base path the API must be at the domain's root."
  }
}
