# A function in a VPC: Lambda uses the function's role to manage its network interfaces.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions

locals {
  # AWS's own policy (AWSLambdaVPCAccessExecutionRole) allows them on every resource, because Lambda names the interfaces.
  network_actions = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
  ]

  network_statements = [for statement in [
    {
      Sid      = "LetLambdaManageNetworkInterfaces"
      Effect   = "Allow"
      Action   = local.network_actions
      Resource = ["*"]
    },
    {
      # Lambda needs these permissions; the function's code does not. This condition key is present only in calls from the code. Whether
      # a published version has its own ARN there, AWS does not say.
      Sid       = "KeepTheCodeFromDoingSo"
      Effect    = "Deny"
      Action    = local.network_actions
      Resource  = ["*"]
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arn, "${local.function_arn}:*"] } }
    },
  ] : statement if var.vpc != null]

  # Built from names, because the function depends on the policy.
  function_arn = "arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:function:${var.name}"
}
