# What the courier may do: read entries and the secrets of their targets, take deliveries out of its queue, and repeat on the
# reports' topic what ended without a build. It sees no build and no Git credential, and can start nothing.

resource "aws_iam_role" "this" {
  name                 = "${var.names.iam_prefix}courier"
  description          = "Courier of the deployment pipeline ${var.config_path}"
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
  name   = "courier"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

locals {
  parameter_arn_prefix = "${local.arn_prefix}:ssm:${local.arn_suffix}:parameter"
  secrets              = "${local.parameter_arn_prefix}${var.names.parameters.notify}/*/*"

  statements = concat([
    {
      Sid      = "ReadRegister"
      Effect   = "Allow"
      Action   = "ssm:GetParameters"
      Resource = "${local.parameter_arn_prefix}${var.names.parameters.register}/*"
    },
    {
      Sid      = "ReadSecretsOfTargets"
      Effect   = "Allow"
      Action   = "ssm:GetParameter"
      Resource = local.secrets
    },
    {
      Sid       = "DecryptSecretsOfTargets"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = var.key_arn
      Condition = { StringLike = { "kms:EncryptionContext:PARAMETER_ARN" = local.secrets } }
    },
    {
      # The first four by the event source mapping and for a pause; the last hands on, from all targets to each.
      Sid    = "TakeDeliveries"
      Effect = "Allow"
      Action = [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
      ]
      Resource = local.queue_arn
    },
    {
      Sid      = "LayAside"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.dead.arn
    },
    {
      Sid      = "Report"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = var.reports_topic_arn
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*" # the streams of this group
    },
    ], [
    for bus in var.event_bus_arn[*] : {
      Sid       = "PutEvents"
      Effect    = "Allow"
      Action    = "events:PutEvents"
      Resource  = bus
      Condition = { StringEquals = { "events:source" = "iwomp" } }
    }
    ], [
    for broker in var.broker_arn[*] : {
      Sid      = "AskTheBroker"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = "${broker}:notify-*"
    }
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
