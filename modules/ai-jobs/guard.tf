# Terraform destroys what depends on something before the thing itself: this depends on everything in the module, so it is
# destroyed first. Where AWS would refuse to delete the table, or the bucket with what is in it, it refuses in their place,
# while the queues still have their jobs. It does so for terraform destroy and for a change of names, which is a destroy too.
# (A module block that is taken out of the configuration takes this along: Terraform then runs no provisioner.)

locals {
  protections = compact([
    var.table.deletion_protection ? "table.deletion_protection to false" : "",
    var.bucket.force_destroy ? "" : "bucket.force_destroy to true",
  ])

  # One line without quotes or other special characters, because sh and cmd both must understand it.
  refusal = join(" ", [
    "echo Nothing was destroyed: ${var.name} is protected in ${var.environment}.",
    "To destroy it with all of its jobs, set ${join(" and ", local.protections)}, run terraform apply, and destroy it again.",
    "&& exit 1",
  ])
}

resource "terraform_data" "guard" {
  # What is lost when its name changes.
  triggers_replace = [for key in ["request_queue", "request_dlq", "response_queue", "response_dlq", "events_dlq", "table", "bucket"] : local.names[key]]

  input = length(local.protections) == 0 ? "exit 0" : local.refusal

  provisioner "local-exec" {
    when    = destroy
    command = self.input
    quiet   = true
  }

  depends_on = [
    module.alarms, module.api, module.bucket, module.dashboard, module.event_publisher, module.job_types, module.jobs_api,
    module.processor, module.reconciler, module.request_queue, module.response_queue, module.result_handler, module.store,
  ]
}
