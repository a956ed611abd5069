# Acme has the four queues of the AI jobs already, with jobs in them. The module takes them over: they keep their contents, and
# only their settings change.

provider "aws" {
  region = var.region
}

locals {
  name        = "acme"
  environment = "production"

  # What the module calls its queues, by the module inside it that manages them.
  queues = {
    request      = "${local.name}-ai-job-request-${local.environment}"
    request_dlq  = "${local.name}-ai-job-request-dlq-${local.environment}"
    response     = "${local.name}-ai-job-response-${local.environment}"
    response_dlq = "${local.name}-ai-job-response-dlq-${local.environment}"
  }
}

module "ai_jobs" {
  # checkov:skip=CKV_TF_1: a release is a tag, and the zips that run are pinned by their hashes
  source = "git::https://github.com/your-org/ai-jobs.git//modules/ai-jobs?ref=v0.1.0"

  name        = local.name
  environment = local.environment
  packages    = { directory = var.packages_directory }
}

# The plan fails if one of them does not exist, rather than creating an empty queue in its place.
data "aws_sqs_queue" "existing" {
  for_each = local.queues

  name = each.value
}

# An import leaves no trace in the configuration: once it is applied, this and everything below can go.
import {
  to = module.ai_jobs.module.request_queue.aws_sqs_queue.this
  id = data.aws_sqs_queue.existing["request"].url
}

import {
  to = module.ai_jobs.module.request_queue.aws_sqs_queue.dlq
  id = data.aws_sqs_queue.existing["request_dlq"].url
}

import {
  to = module.ai_jobs.module.response_queue.aws_sqs_queue.this
  id = data.aws_sqs_queue.existing["response"].url
}

import {
  to = module.ai_jobs.module.response_queue.aws_sqs_queue.dlq
  id = data.aws_sqs_queue.existing["response_dlq"].url
}
