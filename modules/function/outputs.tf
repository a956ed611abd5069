output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "build" {
  description = "Which code the function runs: the first 12 digits of the zip's SHA-256."
  value       = local.build
}

output "alias" {
  description = "Name of the alias that points to the version that runs."
  value       = aws_lambda_alias.live.name
}

output "arn" {
  description = "ARN of the alias: whoever invokes the function uses it."
  value       = aws_lambda_alias.live.arn
}

output "invoke_arn" {
  description = "ARN with which API Gateway invokes the alias."
  value       = aws_lambda_alias.live.invoke_arn
}

output "environment_variables" {
  description = "Environment variables of the function."
  value       = coalesce(one(aws_lambda_function.this.environment[*].variables), {})
}

output "environment_bytes" {
  description = "How many of Lambda's 4096 bytes the environment takes at most."
  value       = local.environment_bytes
}

output "policy_characters" {
  description = "How many of IAM's 10240 characters the policy of the function's role takes at most."
  value       = local.policy_characters
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}

output "role_policy_id" {
  description = "Id of the role's policy: whatever depends on it finds the permissions in place."
  value       = aws_iam_role_policy.this.id
}

output "role_policy" {
  description = "The policy of the function's role, as JSON."
  value       = aws_iam_role_policy.this.policy
}

output "trigger_queue_arn" {
  description = "ARN of the queue that triggers the function; null if there is none."
  value       = one(aws_lambda_event_source_mapping.queue[*].event_source_arn)
}

output "failure_queue_name" {
  description = "Name of the on-failure queue of the stream trigger; null if there is none."
  value       = one(aws_sqs_queue.failures[*].name)
}

output "failure_queue_url" {
  description = "URL of the on-failure queue of the stream trigger; null if there is none."
  value       = one(aws_sqs_queue.failures[*].url)
}

output "failure_queue_arn" {
  description = "ARN of the on-failure queue of the stream trigger; null if there is none."
  value       = one(aws_sqs_queue.failures[*].arn)
}

output "trigger_id" {
  description = "UUID of the queue trigger; null if there is none."
  value       = one(aws_lambda_event_source_mapping.queue[*].uuid)
}
