# What only the local environment has.

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
