output "id" {
  description = "Id of the REST API."
  value       = aws_api_gateway_rest_api.this.id
}

output "stage_name" {
  description = "Name of the stage."
  value       = aws_api_gateway_stage.this.stage_name
}

output "invoke_url" {
  description = "URL of the stage, without a trailing slash."
  value       = aws_api_gateway_stage.this.invoke_url
}

output "url" {
  description = "URL that callers use, without a trailing slash: the domain's if there is one, otherwise the stage's."
  value       = var.domain == null ? aws_api_gateway_stage.this.invoke_url : join("/", compact(["https://${var.domain.name}", var.domain.base_path]))
}

output "domain_target" {
  description = "Name that the domain's DNS record (an alias or a CNAME) must point to; null without a domain."
  value       = one(aws_api_gateway_domain_name.this[*].regional_domain_name)
}

output "domain_zone_id" {
  description = "Id of the hosted zone of domain_target, for an alias record in Route 53; null without a domain."
  value       = one(aws_api_gateway_domain_name.this[*].regional_zone_id)
}

output "api_key_ids" {
  description = "Ids of the API keys by name."
  value       = { for name, key in aws_api_gateway_api_key.this : name => key.id }
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
  description = "The policy of the role with which POST /jobs sends to the queue, as JSON."
  value       = aws_iam_role_policy.post_jobs.policy
}

output "name" {
  description = "Name of the REST API, as in CloudWatch's metrics."
  value       = aws_api_gateway_rest_api.this.name
}
