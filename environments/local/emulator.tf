# What only the local environment has: where the emulator is, and what it asks for beyond AWS.

variable "endpoint_url" {
  description = "Where the emulator is reached; the same as AWS_ENDPOINT_URL. Only for the output api_url."
  type        = string
  default     = "http://127.0.0.1:4566"
  nullable    = false
}

variable "model_endpoint_url" {
  description = "Where the local model is reached, which the functions call in place of Bedrock; null if there is none. Only for the output."
  type        = string
  default     = null
}

variable "environment" {
  description = "Last part of every name."
  type        = string
  default     = "local"
  nullable    = false
}

variable "layer_zips" {
  description = "The zips of the Lambda layers with the handlers of your job types, by the name of the layer."
  type        = map(string)
  default     = {}
  nullable    = false
}

resource "aws_lambda_layer_version" "handlers" {
  for_each = var.layer_zips

  layer_name          = each.key
  filename            = each.value
  source_code_hash    = filebase64sha256(each.value)
  compatible_runtimes = ["python3.13"]
}

output "api_url" {
  description = "URL of the API's stage at the emulator: PUT <api_url>/jobs/{jobId} and the rest of docs/api.md."
  value       = "${var.endpoint_url}/restapis/${module.ai_jobs.api_id}/${module.ai_jobs.api_stage_name}/_user_request_"
}

output "endpoint_url" {
  description = "Where the emulator is reached: the command ai-jobs --env local goes there."
  value       = var.endpoint_url
}

output "model_endpoint_url" {
  description = "Where the local model is reached: the commands ai-jobs --env local types try and compare call it."
  value       = var.model_endpoint_url
}

output "config_max_age_seconds" {
  description = "How long a worker may hold job types before it reads them again."
  value       = lookup(var.jobs, "config_max_age_seconds", 15)
}

# AWS authorises the batch forms of ChangeMessageVisibility and SendMessage as the plain ones, and the module grants
# those; MiniStack asks for actions of its own. What only the emulator wants is granted here, in its environment, and
# nowhere else.
resource "aws_iam_role_policy" "emulator" {
  for_each = {
    processor = {
      role    = module.ai_jobs.processor_role_name
      actions = ["sqs:ChangeMessageVisibilityBatch", "sqs:SendMessageBatch"]
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
