# What the launcher may do: read the register, start builds as they were registered, look whether a trigger was served, and
# lay a trigger aside. No KMS (it needs no secret), no PassRole (CodeBuild projects have their roles), no write to anything
# but the two queues.

resource "aws_iam_role" "this" {
  name                 = "${var.names.iam_prefix}launcher"
  description          = "Launcher of the deployment pipeline ${var.config_path}"
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
  name   = "launcher"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

locals {
  arn_suffix           = "${var.account.region}:${var.account.id}"
  parameter_arn_prefix = "arn:${var.account.partition}:ssm:${local.arn_suffix}:parameter"

  # By prefix, not one by one: the ARNs of some hundred projects exceed what a role policy may hold. What bears the prefix
  # and is not registered is refused for want of a register entry.
  build_projects = "arn:${var.account.partition}:codebuild:${local.arn_suffix}:project/${var.names.prefix}*"

  # The variables of a build that the launcher may set: a closed list. ROLLBACKTO and QUESTION are an operator's, and must
  # not be in it.
  build_variables = ["PROJECTNAME", "GITBRANCH", "GITCOMMIT", "TRIGGERID", "WAITINGCOMMITS"]

  # All else that StartBuild lets a caller override and for which AWS has a condition key, after "Actions, resources, and
  # condition keys for AWS CodeBuild" in the Service Authorization Reference. Missing there, hence missing here: timeouts,
  # Git clone depth, debug session (which needs ssmmessages rights that a project's role has not). Left out:
  # codebuild:environment and codebuild:source, the parents of what is allowed or is listed one by one.
  override_keys = [
    "artifacts",
    "autoRetryLimit",
    "cache",
    "encryptionKey",
    "environment.certificate",
    "environment.computeType",
    "environment.fleet.fleetArn",
    "environment.image",
    "environment.imagePullCredentialsType",
    "environment.privilegedMode",
    "environment.registryCredential",
    "environment.type",
    "logsConfig",
    "secondaryArtifacts",
    "secondarySources",
    "serviceRole",
    "source.auth.type",
    "source.buildStatusConfig.context",
    "source.buildStatusConfig.targetUrl",
    "source.buildspec",
    "source.insecureSsl",
    "source.location",
  ]

  statements = [
    {
      # And whether a project is paused, and what its last pinned build saw: one call for all.
      Sid      = "ReadRegister"
      Effect   = "Allow"
      Action   = "ssm:GetParameters"
      Resource = [for tree in ["register", "paused", "deployed"] : "${local.parameter_arn_prefix}${var.names.parameters[tree]}/*"]
    },
    {
      Sid      = "StartBuildsAsRegistered"
      Effect   = "Allow"
      Action   = "codebuild:StartBuild"
      Resource = local.build_projects
      # Were the launcher taken over, it still could not start a build with another buildspec, image or role.
      Condition = {
        Null                        = { for key in local.override_keys : "codebuild:${key}" => "true" }
        "ForAllValues:StringEquals" = { "codebuild:environment.environmentVariables.name" = local.build_variables }
      }
    },
    {
      # Was this trigger served already, or is it covered by a later build?
      Sid      = "LookForEarlierBuilds"
      Effect   = "Allow"
      Action   = ["codebuild:ListBuildsForProject", "codebuild:BatchGetBuilds"]
      Resource = local.build_projects
    },
    {
      # Used by the event source mapping. The program itself only says when a trigger shall come back.
      Sid    = "TakeTriggers"
      Effect = "Allow"
      Action = [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
      ]
      Resource = var.queue_arn
    },
    {
      # A queue of this account may let this role in by its own policy, without this one: whoever maps such a queue to the
      # function could forge the envelopes that it reads. Hence a denial, which no other policy can lift.
      Sid         = "TakeFromNoOtherQueue"
      Effect      = "Deny"
      Action      = "sqs:*"
      NotResource = [var.queue_arn, var.dead_letter_queue_arn]
    },
    {
      # Beyond max_wait_seconds, or where no further try can help. SQS itself moves messages without asking this role.
      Sid      = "LayAside"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = var.dead_letter_queue_arn
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*" # the streams of this group
    },
  ]
}
