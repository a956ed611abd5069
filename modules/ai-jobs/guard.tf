# Terraform destroys dependents before what they depend on. The guard depends on everything in the module, so it is destroyed
# first. Where AWS would refuse to delete the table, or the bucket with its contents, the guard refuses in their place, while the
# queues still hold their jobs. This covers terraform destroy, and a change of names, which is a destroy too: the plan refuses that
# one already (below), unless it also turns the protections off.
# A caller's resource that depends on an output of the module would still go before the guard, unless protected_with has its id:
# then the guard depends on it as well. That makes no cycle, because nothing in the module depends on the guard.
# (Removing the module block from the configuration removes the guard with it: Terraform then does not run the provisioner.)

locals {
  protections = compact([
    var.table.deletion_protection ? "table.deletion_protection to false" : "",
    var.bucket.force_destroy ? "" : "bucket.force_destroy to true",
  ])

  to_destroy = "set ${join(" and ", local.protections)}, run terraform apply"

  # One line without quotes or other special characters, because both sh and cmd must understand it.
  refusal = join(" ", [
    "echo ${var.name} is protected in ${var.environment}, and nothing in the module ai-jobs was destroyed.",
    "To destroy it with all of its jobs, ${local.to_destroy}, and destroy it again.",
    "To keep it, run terraform apply with the names as they were. That also restores what was destroyed outside the module,",
    "where protected_with does not list it.",
    "&& exit 1",
  ])

  # What the names of the queues, the table, and the bucket are made of.
  identity = { name = var.name, environment = var.environment, region = local.region, account = local.account_id }
}

# Remembers in the state what the resources in it were created as, so that the plan can tell a changed name from a new deployment.
resource "terraform_data" "identity" {
  input = local.identity

  # While nothing is protected, a new name is remembered with the apply that makes everything anew under it.
  triggers_replace = length(local.protections) == 0 ? local.identity : null

  lifecycle {
    ignore_changes = [input]

    postcondition {
      # Not ||, which before Terraform 1.12 does not tolerate that the output is still unknown.
      condition = length(local.protections) == 0 ? true : self.output == local.identity
      error_message = join(" ", [
        "This state has ${self.output.name} in ${self.output.environment} (${self.output.region}, account ${self.output.account}), and the configuration says ${var.name} in ${var.environment} (${local.region}, account ${local.account_id}).",
        "The queues, the table, and the bucket would be destroyed with their jobs, and created again under other names.",
        "Set name, environment, and the provider's region and account back. A second deployment needs a state of its own.",
        "To give up the jobs and rename all the same, ${local.to_destroy}, and then change the name.",
      ])
    }
  }
}

resource "terraform_data" "guard" {
  # What would be lost if its name changed.
  triggers_replace = [for key in ["request_queue", "request_dlq", "response_queue", "response_dlq", "events_dlq", "table", "bucket"] : local.names[key]]

  input = length(local.protections) == 0 ? "exit 0" : local.refusal

  provisioner "local-exec" {
    when    = destroy
    command = self.input
    quiet   = true
  }

  depends_on = [
    module.alarms, module.api, module.bucket, module.dashboard, module.event_publisher, module.job_types, module.jobs_api,
    module.packages, module.processor, module.reconciler, module.request_queue, module.response_queue, module.result_handler, module.store,
    aws_bedrock_inference_profile.this, terraform_data.identity, var.protected_with,
  ]
}
