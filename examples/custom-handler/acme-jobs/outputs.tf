output "layer_arn" {
  description = "The layer version, for processor.layers."
  value       = aws_lambda_layer_version.this.arn
}

output "job_types" {
  description = "The job types, for job_types."

  value = {
    inspection-report = {
      handler         = "acme_jobs.reports:summarize"
      max_tokens      = 500
      timeout_seconds = 240 # of the whole handler
      input_schema    = file("${path.module}/inspection-report.schema.json")
      output_schema   = file("${path.module}/inspection-report.output.json")
    }
  }
}
