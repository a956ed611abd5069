# The queue leaf: one queue with its dead-letter queue.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }

  # What the module leaves to the provider shows these values: "not set" is an argument that has none.
  override_resource {
    target = aws_sqs_queue.this
    values = {
      arn                               = "arn:aws:sqs:eu-west-1:123456789012:orders-test"
      url                               = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders-test"
      policy                            = "not set"
      redrive_allow_policy              = "not set"
      sqs_managed_sse_enabled           = false
      kms_data_key_reuse_period_seconds = -1
    }
  }
  override_resource {
    target = aws_sqs_queue.dlq
    values = {
      # Not the ARN that the name would give, so that a target built from the name can be told from a reference.
      arn                               = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq-test-by-reference"
      url                               = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dlq-test"
      policy                            = "not set"
      redrive_policy                    = "not set"
      sqs_managed_sse_enabled           = false
      kms_data_key_reuse_period_seconds = -1
    }
  }
}

variables {
  name                       = "orders-test"
  dlq_name                   = "orders-dlq-test"
  visibility_timeout_seconds = 900
  tags                       = { Environment = "test", Team = "jobs" }

  message_retention_seconds     = 1209600
  dlq_message_retention_seconds = 1209600
  receive_wait_time_seconds     = 20
  max_receive_count             = 3
  require_tls                   = true
}

run "defaults" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  # R-Q1 R-Q2
  assert {
    condition     = aws_sqs_queue.this.name == "orders-test" && aws_sqs_queue.this.message_retention_seconds == 14 * 24 * 3600
    error_message = "The queue must have its name and keep messages for 14 days, not ${aws_sqs_queue.this.message_retention_seconds} s."
  }
  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 900
    error_message = "The visibility timeout must be the given 900 s, not ${aws_sqs_queue.this.visibility_timeout_seconds} s."
  }
  assert {
    condition     = aws_sqs_queue.this.receive_wait_time_seconds == 20
    error_message = "Long polling must be 20 s, not ${aws_sqs_queue.this.receive_wait_time_seconds} s."
  }

  # R-Q1 R-Q2 R-E1: by reference, because SQS refuses a dead-letter queue that does not exist yet.
  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = aws_sqs_queue.dlq.arn
      maxReceiveCount     = 3
    }
    error_message = "The queue must dead-letter into its own DLQ after 3 receives: ${aws_sqs_queue.this.redrive_policy}"
  }

  # R-Q3 R-Q4
  assert {
    condition     = aws_sqs_queue.dlq.name == "orders-dlq-test" && aws_sqs_queue.dlq.message_retention_seconds == 14 * 24 * 3600
    error_message = "The DLQ must have its name and keep messages for 14 days, not ${aws_sqs_queue.dlq.message_retention_seconds} s."
  }
  assert {
    condition = jsondecode(aws_sqs_queue.dlq.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = [aws_sqs_queue.this.arn]
    }
    error_message = "Only the queue itself may redrive into its DLQ: ${aws_sqs_queue.dlq.redrive_allow_policy}"
  }
  assert {
    condition     = aws_sqs_queue.dlq.redrive_policy == "not set" && aws_sqs_queue.this.redrive_allow_policy == "not set"
    error_message = "The DLQ must be the end of the way, and the queue nobody's DLQ."
  }
  assert {
    condition     = aws_sqs_queue.dlq.receive_wait_time_seconds == 20
    error_message = "An operator who reads the DLQ must get long polling as well."
  }

  # R-Q5
  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] : queue.tags == tomap(var.tags)])
    error_message = "Both queues must carry the tags."
  }

  # R-Q6
  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] :
      queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null && queue.kms_data_key_reuse_period_seconds == -1
    ])
    error_message = "Without a customer key both queues must be encrypted by SSE-SQS, and name no key."
  }
  assert {
    condition = alltrue([
      for queue in [
        { policy = aws_sqs_queue.this.policy, arn = "arn:aws:sqs:eu-west-1:123456789012:orders-test" },
        { policy = aws_sqs_queue.dlq.policy, arn = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq-test" },
      ] :
      jsondecode(queue.policy).Statement == [{
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = queue.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    ])
    error_message = "Both queues must refuse plain HTTP, each in its own name."
  }

  # 1 MiB is the default of new queues; what is promised to callers is 256 KiB.
  assert {
    condition     = aws_sqs_queue.this.max_message_size == 262144 && aws_sqs_queue.dlq.max_message_size == 262144
    error_message = "Both queues must take messages of exactly 256 KiB: a DLQ that takes less loses messages."
  }

  assert {
    condition = (
      output.url == aws_sqs_queue.this.url && output.arn == aws_sqs_queue.this.arn && output.name == "orders-test" &&
      output.dlq_url == aws_sqs_queue.dlq.url && output.dlq_arn == aws_sqs_queue.dlq.arn && output.dlq_name == "orders-dlq-test" &&
      output.visibility_timeout_seconds == 900 && output.max_receive_count == 3
    )
    error_message = "The outputs must describe the queue and its DLQ, each by its own values."
  }
}

run "every_value_can_be_changed" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  variables {
    visibility_timeout_seconds    = 300
    message_retention_seconds     = 86400
    dlq_message_retention_seconds = 172800
    receive_wait_time_seconds     = 5
    max_receive_count             = 7
  }

  # R-Q1 R-Q2
  assert {
    condition = (
      aws_sqs_queue.this.visibility_timeout_seconds == 300 && aws_sqs_queue.this.message_retention_seconds == 86400 &&
      aws_sqs_queue.this.receive_wait_time_seconds == 5 && jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 7
    )
    error_message = "The queue does not have the given values."
  }

  # R-Q3 R-Q4
  assert {
    condition     = aws_sqs_queue.dlq.message_retention_seconds == 172800
    error_message = "The DLQ must have its own retention."
  }
  assert {
    condition     = output.max_receive_count == 7 && output.visibility_timeout_seconds == 300
    error_message = "The outputs must follow the given values: the worker is told by them."
  }
}

# R-Q6: for a local AWS, which speaks HTTP.
run "plain_http_on_request" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  variables {
    require_tls = false
  }

  assert {
    condition     = aws_sqs_queue.this.policy == "not set" && aws_sqs_queue.dlq.policy == "not set"
    error_message = "With require_tls = false neither queue may have a policy."
  }
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dlq.sqs_managed_sse_enabled
    error_message = "Encryption at rest does not depend on require_tls."
  }
}

# R-Q6
run "customer_key" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dlq] :
      queue.kms_master_key_id == var.kms_key_arn && queue.kms_data_key_reuse_period_seconds == 300
    ])
    error_message = "Both queues must use the customer key."
  }
  assert {
    condition     = !aws_sqs_queue.this.sqs_managed_sse_enabled && !aws_sqs_queue.dlq.sqs_managed_sse_enabled
    error_message = "SQS refuses SSE-SQS and a customer key at once."
  }
  assert {
    condition     = can(jsondecode(aws_sqs_queue.this.policy).Statement) && can(jsondecode(aws_sqs_queue.dlq.policy).Statement)
    error_message = "A customer key does not replace the refusal of plain HTTP."
  }
}

# R-P3: in the partition that the provider is in, not always "aws".
run "other_partition" {
  command = plan

  module {
    source = "../../modules/queue"
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn" }
  }
  override_data {
    target = data.aws_region.current
    values = { id = "cn-north-1" }
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dlq.redrive_allow_policy).sourceQueueArns == ["arn:aws-cn:sqs:cn-north-1:123456789012:orders-test"]
    error_message = "The source's ARN is of another partition or region: ${aws_sqs_queue.dlq.redrive_allow_policy}"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.dlq.policy).Statement[0].Resource == "arn:aws-cn:sqs:cn-north-1:123456789012:orders-dlq-test"
    error_message = "The policy's resource is of another partition or region: ${aws_sqs_queue.dlq.policy}"
  }
}
