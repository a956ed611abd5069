# A VPC without a way out to the internet: the functions reach AWS through endpoints, and nothing else.

locals {
  # Who needs which: docs/how-it-works.md, "In a VPC".
  gateway_endpoints   = toset(["dynamodb", "s3"])
  interface_endpoints = toset(["appconfigdata", "bedrock-runtime", "events", "sqs", "xray"])
}

resource "aws_vpc" "ai_jobs" {
  # checkov:skip=CKV2_AWS_11: whether flows are logged, and where to, is the same for all networks of an organization

  cidr_block = "10.20.0.0/16"

  # The private names of the interface endpoints need both.
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = local.name }
}

# Whatever is put into the default group by mistake reaches nothing.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.ai_jobs.id
}

# A function takes an address in these for each combination of subnet and security groups, not for each invocation, but a /24 leaves
# room for whatever else comes.
resource "aws_subnet" "functions" {
  # By the letter of the availability zone; not every account has every letter in every region.
  for_each = { a = 0, b = 1 }

  vpc_id            = aws_vpc.ai_jobs.id
  availability_zone = "${var.region}${each.key}"
  cidr_block        = cidrsubnet(aws_vpc.ai_jobs.cidr_block, 8, each.value)

  tags = { Name = "${local.name}-functions-${each.key}" }
}

resource "aws_route_table" "functions" {
  vpc_id = aws_vpc.ai_jobs.id

  tags = { Name = "${local.name}-functions" }
}

resource "aws_route_table_association" "functions" {
  for_each = aws_subnet.functions

  subnet_id      = each.value.id
  route_table_id = aws_route_table.functions.id
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateway_endpoints

  vpc_id            = aws_vpc.ai_jobs.id
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.functions.id]

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = aws_vpc.ai_jobs.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = values(aws_subnet.functions)[*].id
  security_group_ids  = [aws_security_group.endpoints.id]

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5: the module attaches it to the functions

  name        = "${local.name}-ai-job-functions"
  description = "The functions of the AI jobs. Nothing connects to them."
  vpc_id      = aws_vpc.ai_jobs.id
}

resource "aws_security_group" "endpoints" {
  name        = "${local.name}-ai-job-endpoints"
  description = "The interface endpoints that the functions of the AI jobs use."
  vpc_id      = aws_vpc.ai_jobs.id
}

resource "aws_vpc_security_group_egress_rule" "functions_to_interfaces" {
  security_group_id            = aws_security_group.functions.id
  description                  = "HTTPS to the interface endpoints"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

# A gateway endpoint has no security group: its service's addresses are a prefix list.
resource "aws_vpc_security_group_egress_rule" "functions_to_gateways" {
  for_each = aws_vpc_endpoint.gateway

  security_group_id = aws_security_group.functions.id
  description       = "HTTPS to ${each.key}"
  prefix_list_id    = each.value.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "interfaces_from_functions" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "HTTPS from the functions"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
