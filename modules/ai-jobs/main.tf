data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id

  # On everything that can carry tags. The caller's tags win: an organization whose standard says Environment = "prd" must be able
  # to follow it.
  own_tags = {
    Environment = var.environment
    Application = var.name
    Service     = "ai-jobs"
  }
  tags = merge(local.own_tags, var.tags)
}
