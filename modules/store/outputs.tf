output "name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "stream_arn" {
  description = "ARN of the stream of the table's changes; null if there is none."
  value       = var.stream_enabled ? aws_dynamodb_table.this.stream_arn : null
}

output "by_user_index_arn" {
  description = "ARN of the index that finds the jobs of a user."
  value       = "${aws_dynamodb_table.this.arn}/index/${local.by_user_index}"
}

output "open_jobs_index_arn" {
  description = "ARN of the index that finds open jobs."
  value       = "${aws_dynamodb_table.this.arn}/index/${local.open_jobs_index}"
}
