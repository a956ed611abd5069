output "id" {
  description = "Id of the REST API."
  value       = aws_api_gateway_rest_api.this.id
}

output "stage_name" {
  description = "Name of the stage."
  value       = aws_api_gateway_stage.this.stage_name
}

output "invoke_url" {
  description = "URL of the stage, without a slash at its end."
  value       = aws_api_gateway_stage.this.invoke_url
}

output "execution_arn" {
  description = "ARN to allow execute-api:Invoke on, e.g. <execution_arn>/POST/jobs."
  value       = aws_api_gateway_stage.this.execution_arn
}

output "stage_arn" {
  description = "ARN of the stage, e.g. for a WAF association."
  value       = aws_api_gateway_stage.this.arn
}

output "role_policy" {
  description = "The policy of the role by which POST /jobs sends to the queue, as JSON."
  value       = aws_iam_role_policy.post_jobs.policy
}

output "name" {
  description = "Name of the REST API, as CloudWatch knows it."
  value       = aws_api_gateway_rest_api.this.name
}
