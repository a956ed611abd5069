# Job types with handlers: those of examples/custom-handler as they are there, and one that fails on cue.

variable "acme_layer_package" { type = string }
variable "faulty_layer_package" { type = string }

module "acme_jobs" {
  source = "../../../examples/custom-handler/acme-jobs"

  layer_package = var.acme_layer_package
}

resource "aws_lambda_layer_version" "faulty" {
  layer_name          = "faulty-jobs"
  filename            = var.faulty_layer_package
  source_code_hash    = filebase64sha256(var.faulty_layer_package)
  compatible_runtimes = ["python3.13"]
}

locals {
  layers = [module.acme_jobs.layer_arn, aws_lambda_layer_version.faulty.arn]

  types_with_handlers = {
    # The example's time does not fit into this stack's functions.
    inspection-report = merge(module.acme_jobs.job_types["inspection-report"], { timeout_seconds = 9 })
    lost = {
      handler         = "acme_jobs.nowhere:summarize"
      timeout_seconds = 5
      input_schema    = jsonencode({ type = "object" })
    }
    faulty = {
      handler         = "faulty_jobs:run"
      max_tokens      = 100
      timeout_seconds = 2
      input_schema = jsonencode({
        type     = "object"
        required = ["acts"]
        properties = {
          acts = { type = "array", minItems = 1, items = { type = "string" } }
          text = { type = "string" }
        }
      })
    }
  }
}
