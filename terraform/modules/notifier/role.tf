# What the notifier may do: look at builds and at what is live, remember how far it has reported, count what waits, and say so
# on the reports' topic. No KMS: of the register it wants the names and branches, and of encrypted entries it can see no more
# than the name.

resource "aws_iam_role" "this" {
  name                 = "${var.names.iam_prefix}notifier"
  description          = "Notifier of the deployment pipeline ${var.config_path}"
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
  name   = "notifier"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

locals {
  parameter_arn_prefix = "${local.arn_prefix}:ssm:${local.arn_suffix}:parameter"

  statements = concat([
    {
      # By prefix, not one by one: the ARNs of some hundred projects exceed what a role policy may hold.
      Sid      = "LookAtBuilds"
      Effect   = "Allow"
      Action   = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"]
      Resource = "${local.arn_prefix}:codebuild:${local.arn_suffix}:project/${var.names.prefix}*"
    },
    {
      # Which projects there are. The action's resource is the path, with or without the slash at its end, as it is asked for.
      Sid      = "ListRegister"
      Effect   = "Allow"
      Action   = "ssm:GetParametersByPath"
      Resource = [for end in ["", "/"] : "${local.parameter_arn_prefix}${var.names.parameters.register}${end}"]
    },
    {
      # Which build made a commit live: what a build says of itself in its log is the command's to say. And what is old.
      Sid      = "LookAtWhatIsLive"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParametersByPath"]
      Resource = "${local.parameter_arn_prefix}${var.names.parameters.deployed}/*"
    },
    {
      Sid      = "RememberWhatWasReported"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:PutParameter"]
      Resource = "${local.parameter_arn_prefix}${var.names.parameters.reported}/*"
    },
    {
      Sid      = "CountWhatWaits"
      Effect   = "Allow"
      Action   = "sqs:GetQueueAttributes"
      Resource = [var.queue_arn, var.dead_letter_queue_arn]
    },
    {
      Sid      = "Report"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = local.topic_arn
    },
    {
      # Once more than Report: the courier tells those whom a project's entry names.
      Sid      = "HandNewsOver"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = var.deliveries_queue_arn
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*" # the streams of this group
    },
    ], [
    for days in [var.deployed_records_days] : {
      # Only what lies below a project's name is a branch's record. It writes none: so it can take from a branch what is live,
      # and never say that something else is.
      Sid      = "RemoveOldRecords"
      Effect   = "Allow"
      Action   = "ssm:DeleteParameter"
      Resource = "${local.parameter_arn_prefix}${var.names.parameters.deployed}/*/*"
    } if days > 0
  ])
}
