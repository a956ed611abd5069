# Notifications of single alarms, and pages for the whole service, go to the module's own topics unless the caller names others. The
# default key alias/aws/sns is never used, because CloudWatch is not allowed to use it, and alarms would silently stop notifying. A
# topic without a key is accessed over TLS, and carries no job data, only alarm states.
locals {
  own_topics = merge(
    length(var.topic_arns) == 0 ? { alarms = var.topic_names.alarms } : {},
    length(var.page_topic_arns) == 0 ? { pages = var.topic_names.pages } : {},
  )

  topic_arns = {
    alarms = length(var.topic_arns) == 0 ? [aws_sns_topic.this["alarms"].arn] : var.topic_arns
    pages  = length(var.page_topic_arns) == 0 ? [aws_sns_topic.this["pages"].arn] : var.page_topic_arns
  }

  subscriptions = merge(
    { for address in var.email_addresses : "alarms ${address}" => { topic = "alarms", address = address } },
    { for address in var.page_email_addresses : "pages ${address}" => { topic = "pages", address = address } },
  )
}

resource "aws_sns_topic" "this" {
  for_each = local.own_topics

  name              = each.value
  kms_master_key_id = var.topic_kms_key_arn
  tags              = var.tags
}

# Each address first gets a confirmation email, and nothing else until it confirms.
resource "aws_sns_topic_subscription" "email" {
  for_each = local.subscriptions

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.address
}
