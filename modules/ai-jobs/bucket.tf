# What does not fit into a message: results, attachments, and the inputs that the jobs API and the library store.
module "bucket" {
  source = "../bucket"

  name          = local.names.bucket
  force_destroy = var.bucket.force_destroy

  # A row expires this many days after its claim, and its result is stored up to a function's timeout later.
  results_expiration_days = var.jobs.retention_days + 1

  # A message may wait 14 days in the queue, and another 14 in the DLQ, before it is redriven.
  inputs_expiration_days = max(var.jobs.retention_days, 30) + 1

  cors        = var.api.cors
  require_tls = var.require_tls
  kms_key_arn = var.kms_key_arn
  tags        = local.tags
}
