# The store leaf: the table of jobs. Its keys and projections are a contract that DynamoDB cannot change later without
# rebuilding an index, so they are written out here in full.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs-test"
      stream_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs-test/stream/1"
    }
  }
}

variables {
  name = "jobs-test"
  tags = { Environment = "test", Team = "jobs" }

  deletion_protection    = true
  point_in_time_recovery = true
  stream_enabled         = true
}

run "defaults" {
  command = plan

  module {
    source = "../../modules/store"
  }

  # R-J5 R-J6
  assert {
    condition     = aws_dynamodb_table.this.name == "jobs-test" && aws_dynamodb_table.this.hash_key == "jobId" && aws_dynamodb_table.this.range_key == null
    error_message = "The table's key must be jobId alone."
  }
  assert {
    condition = { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type } == {
      "jobId"           = "S"
      "userId"          = "S"
      "createdAt#jobId" = "S"
      "openShard"       = "N"
      "dueAt"           = "S"
    }
    error_message = "The key attributes or their types are not the agreed ones: ${jsonencode(aws_dynamodb_table.this.attribute)}"
  }
  assert {
    condition     = toset(aws_dynamodb_table.this.global_secondary_index[*].name) == toset(["by-user", "open-jobs"])
    error_message = "The indexes must be by-user and open-jobs."
  }

  assert {
    condition = [
      for index in aws_dynamodb_table.this.global_secondary_index :
      [index.hash_key, index.range_key, index.projection_type] if index.name == "by-user"
    ] == [["userId", "createdAt#jobId", "INCLUDE"]]
    error_message = "by-user must list a user's jobs in the order of their creation."
  }
  # Without result and error: they are large, and a list of jobs does not show them.
  assert {
    condition = one([for index in aws_dynamodb_table.this.global_secondary_index : index.non_key_attributes if index.name == "by-user"]) == toset([
      "status", "jobType", "createdAt", "startedAt", "updatedAt", "completedAt", "calls", "deadlineAt", "errorCode", "model",
      "usage", "configVersion", "traceId", "expiresAt",
    ])
    error_message = "by-user does not project exactly what a list of jobs shows."
  }

  # R-E3: what finds the jobs that would stay open for ever.
  assert {
    condition = [
      for index in aws_dynamodb_table.this.global_secondary_index :
      [index.hash_key, index.range_key, index.projection_type] if index.name == "open-jobs"
    ] == [["openShard", "dueAt", "INCLUDE"]]
    error_message = "open-jobs must be sharded by openShard and ordered by dueAt."
  }
  assert {
    condition = one([for index in aws_dynamodb_table.this.global_secondary_index : index.non_key_attributes if index.name == "open-jobs"]) == toset([
      "status", "attempt", "userId", "jobType", "createdAt", "startedAt", "messageId", "leaseExpiresAt", "deadlineAt",
    ])
    error_message = "open-jobs does not project exactly what is needed to close a job."
  }

  assert {
    condition     = [for ttl in aws_dynamodb_table.this.ttl : [ttl.attribute_name, ttl.enabled]] == [["expiresAt", true]]
    error_message = "Rows must expire by expiresAt."
  }
  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "The table must be billed on demand, not ${aws_dynamodb_table.this.billing_mode}."
  }
  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "Point-in-time recovery must be on."
  }
  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled
    error_message = "The table must be encrypted with a KMS key."
  }
  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "Deletion protection must be on."
  }

  # Without the old image a job that ended could not be told from a later change of its row.
  assert {
    condition = (
      aws_dynamodb_table.this.stream_enabled && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES" &&
      output.stream_arn == aws_dynamodb_table.this.stream_arn
    )
    error_message = "The table must have a stream of both images."
  }

  # R-Q5
  assert {
    condition     = aws_dynamodb_table.this.tags == tomap(var.tags)
    error_message = "The table must carry the tags."
  }
  assert {
    condition = (
      output.name == "jobs-test" && output.arn == aws_dynamodb_table.this.arn &&
      output.open_jobs_index_arn == "${aws_dynamodb_table.this.arn}/index/open-jobs"
    )
    error_message = "The outputs must be the table's name and ARN, and the ARN of its index open-jobs."
  }
}

run "for_tests_and_with_a_customer_key" {
  command = plan

  module {
    source = "../../modules/store"
  }

  variables {
    deletion_protection    = false
    point_in_time_recovery = false
    stream_enabled         = false
    kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled == false
    error_message = "deletion_protection = false must let the table be deleted."
  }
  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled == false
    error_message = "point_in_time_recovery = false must turn the backups off."
  }
  assert {
    condition     = aws_dynamodb_table.this.stream_enabled == false && output.stream_arn == null
    error_message = "stream_enabled = false must leave out the stream."
  }
  # R-Q6
  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "The table must be encrypted with the customer key."
  }
}
