# The module attaches the domain to the API. Its DNS record is the account's own business.
resource "aws_route53_record" "api" {
  zone_id = var.hosted_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = module.ai_jobs.api_domain_target
    zone_id                = module.ai_jobs.api_domain_zone_id
    evaluate_target_health = false
  }
}
