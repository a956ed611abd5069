locals {
  contract = jsondecode(file("${path.module}/../../functions/ai_jobs/contract/limits.json"))
}

# Not versioned: erased objects must be gone, not hidden behind a delete marker.
resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: access logs need a bucket of the account's; data events in CloudTrail show the same
  # checkov:skip=CKV_AWS_21: not versioned, for the reason above
  # checkov:skip=CKV_AWS_144: what is in it expires with its job; a second region is an environment of its own
  # checkov:skip=CKV2_AWS_62: nothing waits for an object: a job's message names those that it needs
  bucket        = var.name
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Without ACLs, the bucket's owner owns every object in it.
resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }

    # One call to KMS for many objects.
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_policy" "this" {
  count = var.require_tls ? 1 : 0

  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 rejects two concurrent changes of a bucket's access settings.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "results"
    status = "Enabled"

    filter {
      prefix = local.contract.bucket.results_prefix
    }

    expiration {
      days = var.results_expiration_days
    }
  }

  rule {
    id     = "inputs"
    status = "Enabled"

    filter {
      prefix = local.contract.bucket.inputs_prefix
    }

    expiration {
      days = var.inputs_expiration_days
    }
  }

  # Files for jobs that never came: PUT /jobs/{jobId} copies what a job gets to its inputs.
  rule {
    id     = "uploads"
    status = "Enabled"

    filter {
      prefix = local.contract.bucket.uploads_prefix
    }

    expiration {
      days = 1
    }
  }

  rule {
    id     = "broken-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# A page posts the form of an upload, and fetches the signed URL of a large result, straight from S3.
resource "aws_s3_bucket_cors_configuration" "this" {
  count = var.cors == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  cors_rule {
    allowed_origins = var.cors.allow_origins
    allowed_methods = ["GET", "POST"]
    allowed_headers = ["*"]
    max_age_seconds = var.cors.max_age_seconds
  }
}
