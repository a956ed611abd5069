locals {
  contract        = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))
  by_user_index   = local.contract.table.by_user_index
  open_jobs_index = local.contract.table.open_jobs_index
}

# The projections are the contract: DynamoDB can't change one without rebuilding its index, so they list every attribute that a
# listing or the reconciler reads. They omit results and error messages, which are large, and which a list of jobs does not show.
# A write to an attribute that an index projects also writes the index: a job that succeeds writes each index three times, when it
# is submitted, claimed, and completed.
resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_28: on by default; environments that hold nothing of value may turn it off (point_in_time_recovery)
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "jobId"

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "jobId"
    type = "S"
  }

  attribute {
    name = "userId"
    type = "S"
  }

  # One attribute that holds both values, so that jobs from the same millisecond keep a stable order.
  attribute {
    name = local.contract.table.by_user_sort_key
    type = "S"
  }

  attribute {
    name = "openShard"
    type = "N"
  }

  attribute {
    name = "dueAt"
    type = "S"
  }

  global_secondary_index {
    name               = local.by_user_index
    hash_key           = "userId"
    range_key          = local.contract.table.by_user_sort_key
    projection_type    = "INCLUDE"
    non_key_attributes = local.contract.table.by_user_projection
  }

  # Sparse: a row leaves this index when its job reaches a terminal state, because openShard is removed then.
  # Sharded: one constant key would be a hot partition.
  global_secondary_index {
    name               = local.open_jobs_index
    hash_key           = "openShard"
    range_key          = "dueAt"
    projection_type    = "INCLUDE"
    non_key_attributes = local.contract.table.open_jobs_projection
  }

  # Both images, so that a reader can tell a job that just ended from a later change to its row.
  stream_enabled   = var.stream_enabled
  stream_view_type = var.stream_enabled ? "NEW_AND_OLD_IMAGES" : null

  ttl {
    attribute_name = local.contract.table.ttl_attribute
    enabled        = true
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }

  # Without a customer key, this is the AWS managed key aws/dynamodb.
  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  tags = var.tags
}
