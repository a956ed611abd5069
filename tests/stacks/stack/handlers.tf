# The job types of examples/custom-handler with their layer, as they are there.

variable "acme_layer_package" {
  description = "The zip that the example's build_layer.py builds; the tests' fixture makes it, and says where."
  type        = string
}

module "acme_jobs" {
  source = "../../../examples/custom-handler/acme-jobs"

  layer_package = var.acme_layer_package
}

locals {
  # Except for their time: the example's does not fit into this stack's functions.
  acme_job_types = { for name, type in module.acme_jobs.job_types : name => merge(type, { timeout_seconds = 9 }) }
}
