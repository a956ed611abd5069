module "store" {
  source = "../store"

  name                   = local.names.table
  deletion_protection    = var.table.deletion_protection
  point_in_time_recovery = var.table.point_in_time_recovery
  stream_enabled         = var.events.enabled
  kms_key_arn            = var.kms_key_arn
  tags                   = local.tags
}
