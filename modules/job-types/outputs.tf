output "application_id" {
  description = "Id of the AppConfig application."
  value       = aws_appconfig_application.this.id
}

output "environment_id" {
  description = "Id of the AppConfig environment."
  value       = aws_appconfig_environment.this.environment_id
}

output "profile_id" {
  description = "Id of the configuration profile."
  value       = aws_appconfig_configuration_profile.this.configuration_profile_id
}

output "deployment_arn" {
  description = "ARN of the deployment: whatever depends on it finds the configuration in place."
  value       = aws_appconfig_deployment.this.arn
}

output "document" {
  description = "The deployed document, as JSON."
  value       = local.document
}
