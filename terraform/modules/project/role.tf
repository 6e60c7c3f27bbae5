# A build has exactly these rights, the policies that its project's entry names, and the fence below around the pipeline.

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = "Deploys ${var.name}"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BuildsOfThisProject"
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Without these any CodeBuild project that somebody can point at this role could take it.
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account.id }
        ArnEquals    = { "aws:SourceArn" = local.build_project_arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.worker_statements })
}

resource "aws_iam_role_policy" "fence" {
  name   = "fence"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.fence_statements })
}

resource "aws_iam_role_policy" "project" {
  count = var.policy_json == null ? 0 : 1

  name   = "project"
  role   = aws_iam_role.this.id
  policy = var.policy_json
}

resource "aws_iam_role_policy_attachment" "project" {
  # By position, because the ARN of a policy made in the same run is not known yet and could not be a key.
  for_each = { for position, arn in var.policy_arns : position => arn }

  role       = aws_iam_role.this.name
  policy_arn = each.value
}

locals {
  # What the worker reads decrypted: its own register entry (it may be a SecureString), what lies under it, its credentials.
  # `_default` may hold no credential, but it may be a SecureString: without this right such a one would end every build.
  own_parameter_arns = [
    "${local.parameter_arn_prefix}${local.register_parameter}",
    "${local.parameter_arn_prefix}${local.default_parameter}",
    "${local.parameter_arn_prefix}${local.credentials_parameter}",
  ]

  worker_statements = concat(
    [
      {
        Sid      = "ReadOwnEntry"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters"]
        Resource = local.own_parameter_arns
      },
      {
        Sid    = "KeepWhatIsLive"
        Effect = "Allow"
        Action = ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"]
        Resource = [
          "${local.parameter_arn_prefix}${local.deployed_parameters}", # one a branch
          "${local.parameter_arn_prefix}${local.seen_parameter}",      # what may be deployed next, for the launcher
        ]
      },
      {
        Sid       = "DecryptOwnEntry"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.key_arn
        Condition = { StringEquals = { "kms:EncryptionContext:PARAMETER_ARN" = local.own_parameter_arns } }
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.arn_prefix}:logs:${local.arn_suffix}:log-group:/aws/codebuild/${local.full_name}:*" # its streams
      },
    ],
    # The worker tags the session with what it deploys, so that the deploy role and CloudTrail can tell.
    [for arn in compact([var.deploy_role_arn]) : {
      Sid      = "TakeDeployRole"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole", "sts:TagSession"]
      Resource = arn
    }],
    # Only for an image in ECR, of whichever account.
    [for image in local.ecr_images : {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = "${local.arn_prefix}:ecr:${image.region}:${image.account}:repository/${image.repository}"
    }],
    [for image in local.ecr_images : {
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*" # the action knows no resource; the token opens what PullImage allows
    }],
  )

  ecr_images = regexall(
    "^(?P<account>[0-9]{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/(?P<repository>[^:@]+)[:@]",
    var.image,
  )

  pipeline_builds = "${local.arn_prefix}:codebuild:${local.arn_suffix}:project/${var.names.prefix}*"
  pipeline_roles  = "${local.arn_prefix}:iam::${var.account.id}:role/${var.names.iam_prefix}*"
  pipeline_users  = "${local.arn_prefix}:iam::${var.account.id}:user/${var.names.iam_prefix}*"
  pipeline_triggers = [
    "${local.arn_prefix}:sns:${local.arn_suffix}:${var.config_path}",
    "${local.arn_prefix}:sns:${local.arn_suffix}:${var.names.prefix}*",
    "${local.arn_prefix}:sqs:${local.arn_suffix}:${var.names.prefix}triggers*",
    "${local.arn_prefix}:lambda:${local.arn_suffix}:function:${var.names.prefix}launcher*",
    "${local.arn_prefix}:lambda:${local.arn_suffix}:function:${var.names.prefix}notifier*",
    "${local.arn_prefix}:scheduler:${local.arn_suffix}:schedule-group/${var.config_path}",
    "${local.arn_prefix}:scheduler:${local.arn_suffix}:schedule/${var.config_path}/*",
    "${local.arn_prefix}:events:${local.arn_suffix}:rule/${var.names.prefix}*",
  ]
  pipeline_watch = [
    "${local.arn_prefix}:cloudwatch:${local.arn_suffix}:alarm:${var.names.prefix}*",
    "${local.arn_prefix}:logs:${local.arn_suffix}:log-group:/aws/lambda/${var.names.prefix}launcher*",
    "${local.arn_prefix}:logs:${local.arn_suffix}:log-group:/aws/lambda/${var.names.prefix}notifier*",
  ]
  pipeline_register = "${local.parameter_arn_prefix}/${var.config_path}/*"
  pipeline_paused   = "${local.parameter_arn_prefix}/${var.config_path}-paused/*"
  pipeline_reported = "${local.parameter_arn_prefix}/${var.config_path}-reported/*"
  pipeline_records  = "${local.parameter_arn_prefix}/${var.config_path}-deployed/*"
  pipeline_secrets  = "${local.parameter_arn_prefix}/${var.config_path}-credentials/*"

  # Deploy roles tend to be broad, and a broad one could otherwise take every other project's role by way of the pipeline
  # itself: a build with a buildspec of its own, a changed register entry, another image under a known tag. It is for the
  # same reason that the pipeline cannot deploy itself.
  fence_statements = [
    {
      Sid      = "LeaveBuildsAlone"
      Effect   = "Deny"
      Action   = "codebuild:*"
      Resource = local.pipeline_builds
    },
    {
      Sid    = "LeaveRolesAlone"
      Effect = "Deny"
      Action = [
        "iam:Attach*",
        "iam:Create*",
        "iam:Delete*",
        "iam:Detach*",
        "iam:PassRole",
        "iam:Put*",
        "iam:Tag*",
        "iam:Untag*",
        "iam:Update*",
      ]
      Resource = [local.pipeline_roles, local.pipeline_users]
    },
    {
      # Topics that do not exist included: the launcher takes a project's name from the name of a topic.
      Sid      = "LeaveTriggersAlone"
      Effect   = "Deny"
      Action   = ["events:*", "lambda:*", "scheduler:*", "sns:*", "sqs:*"]
      Resource = local.pipeline_triggers
    },
    {
      # The pipeline's metrics are read from these logs: whoever can write there can tell those who watch what is not so.
      Sid      = "LeaveWatchAlone"
      Effect   = "Deny"
      Action   = ["cloudwatch:*", "logs:*"]
      Resource = local.pipeline_watch
    },
    {
      Sid      = "LeaveRegisterAlone"
      Effect   = "Deny"
      Action   = ["ssm:DeleteParameter", "ssm:DeleteParameters", "ssm:PutParameter"]
      Resource = [local.pipeline_register, local.pipeline_secrets, local.pipeline_paused, local.pipeline_reported]
    },
    {
      # Without its record, every old commit of a branch could be pinned again. The worker writes its own and deletes none.
      Sid      = "LeaveRecordsStanding"
      Effect   = "Deny"
      Action   = ["ssm:DeleteParameter", "ssm:DeleteParameters"]
      Resource = local.pipeline_records
    },
    {
      Sid       = "LeaveKeyAlone"
      Effect    = "Deny"
      NotAction = "kms:Decrypt"
      Resource  = var.key_arn
    },
    {
      Sid       = "DecryptNothingOfOthers"
      Effect    = "Deny"
      Action    = "kms:Decrypt"
      Resource  = var.key_arn
      Condition = { StringNotEquals = { "kms:EncryptionContext:PARAMETER_ARN" = local.own_parameter_arns } }
    },
    {
      Sid       = "LeaveImagesAlone"
      Effect    = "Deny"
      NotAction = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource  = var.repository_arn
    },
  ]
}
