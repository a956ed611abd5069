# The bucket leaf: large inputs and results. Private, encrypted, and nothing in it stays for ever.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::objects-test", id = "objects-test" }
  }
}

variables {
  name                    = "objects-test"
  results_expiration_days = 31
  inputs_expiration_days  = 32
  tags                    = { Environment = "test", Team = "jobs" }

  force_destroy = false
  require_tls   = true
}

run "defaults" {
  command = plan

  module {
    source = "../../modules/bucket"
  }

  assert {
    condition = (
      aws_s3_bucket.this.bucket == "objects-test" && !aws_s3_bucket.this.force_destroy &&
      aws_s3_bucket.this.tags == tomap({ Environment = "test", Team = "jobs" }) &&
      output.name == "objects-test" && output.arn == "arn:aws:s3:::objects-test"
    )
    error_message = "The bucket's name, tags, protection or outputs are wrong."
  }
  assert {
    condition = alltrue([
      for bucket in [
        aws_s3_bucket_public_access_block.this.bucket, aws_s3_bucket_ownership_controls.this.bucket,
        aws_s3_bucket_server_side_encryption_configuration.this.bucket, aws_s3_bucket_policy.this[0].bucket,
        aws_s3_bucket_lifecycle_configuration.this.bucket,
      ] : bucket == "objects-test"
    ])
    error_message = "A setting belongs to another bucket."
  }
  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy &&
      aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets &&
      one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    )
    error_message = "The bucket can be made public, or objects can belong to others."
  }
  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == null &&
      !one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    )
    error_message = "Without a customer key the bucket must use SSE-S3."
  }
  assert {
    condition = jsondecode(aws_s3_bucket_policy.this[0].policy).Statement == [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::objects-test", "arn:aws:s3:::objects-test/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "Plain HTTP is not denied: ${aws_s3_bucket_policy.this[0].policy}"
  }
  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      rule.id => [rule.status, rule.filter[0].prefix, rule.expiration[0].days] if rule.id != "broken-uploads"
      } == {
      results = ["Enabled", "results/", 31]
      inputs  = ["Enabled", "inputs/", 32]
      uploads = ["Enabled", "uploads/", 1]
    }
    error_message = "Results, inputs, or uploads do not expire as they should."
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      [rule.status, coalesce(rule.filter[0].prefix, "everywhere"), rule.abort_incomplete_multipart_upload[0].days_after_initiation]
      if rule.id == "broken-uploads"
    ] == [["Enabled", "everywhere", 1]]
    error_message = "Uploads that broke off stay, if only in a part of the bucket."
  }
  assert {
    condition     = length(aws_s3_bucket_cors_configuration.this) == 0
    error_message = "Pages may use the bucket, although nobody asked for it."
  }
}

run "settings_given" {
  command = plan

  module {
    source = "../../modules/bucket"
  }

  variables {
    force_destroy = true
    require_tls   = false
    kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/0001"
    cors          = { allow_origins = ["https://app.example.com"], max_age_seconds = 60 }
  }

  # R-A2: a page posts a file's form to S3, and fetches large results from there.
  assert {
    condition = [
      for rule in aws_s3_bucket_cors_configuration.this[0].cors_rule :
      [rule.allowed_origins, rule.allowed_methods, rule.allowed_headers, rule.max_age_seconds]
    ] == [[toset(["https://app.example.com"]), toset(["GET", "POST"]), toset(["*"]), 60]]
    error_message = "The origins do not reach the bucket."
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy && length(aws_s3_bucket_policy.this) == 0
    error_message = "force_destroy or require_tls does not reach the bucket."
  }
  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/0001" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    )
    error_message = "The customer key does not reach the bucket."
  }
}
