# What the broker may do: read entries, and sign for the App. It decrypts nothing, sees no build, and can start none.

resource "aws_iam_role" "this" {
  name                 = "${var.names.iam_prefix}broker"
  description          = "Broker of the deployment pipeline ${var.config_path}"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Lambda"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # No aws:SourceArn: Lambda does not always send it, and takes only roles of the function's own account, so that no
      # other account's function can be given this role.
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "broker"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

locals {
  statements = concat([
    {
      Sid      = "ReadRegister"
      Effect   = "Allow"
      Action   = "ssm:GetParameters"
      Resource = "${local.arn_prefix}:ssm:${local.arn_suffix}:parameter${var.names.parameters.register}/*"
    },
    {
      # In one way only, and nobody else: so says the key's own policy, which iwomp github-app import-key writes.
      Sid      = "SignForTheApp"
      Effect   = "Allow"
      Action   = "kms:Sign"
      Resource = var.github_app.key
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*" # the streams of this group
    },
    ], [
    for vpc in var.vpc[*] : {
      # Lambda makes the function's network interfaces with its role. None of these can be bound to one function.
      Sid    = "BeInTheNetwork"
      Effect = "Allow"
      Action = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = "*"
    }
  ])
}
