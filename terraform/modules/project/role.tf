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
  policy = replace(local.worker_policy, local.key_placeholder, var.key_arn)
}

resource "aws_iam_role_policy" "fence" {
  name   = "fence"
  role   = aws_iam_role.this.id
  policy = replace(local.fence_policy, local.key_placeholder, var.key_arn)
}

resource "aws_iam_role_policy" "project" {
  count = var.policy_json == null ? 0 : 1

  name   = "project"
  role   = aws_iam_role.this.id
  policy = var.policy_json

  lifecycle {
    precondition {
      condition     = length(jsonencode(jsondecode(var.policy_json))) <= local.policy_left_characters
      error_message = "Project ${var.name}: policy_json has ${length(jsonencode(jsondecode(var.policy_json)))} characters, and ${local.policy_left_characters} are left of the ${local.policy_limit_characters} that IAM takes in all inline policies of a role. Make a managed policy of it, and name that in policy_arns."
    }
  }
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

  # The key's ARN is unknown until the key is there. An ARN of the same length stands for it, so that a first plan can already
  # measure the policies; IAM is given the real one.
  key_placeholder = "${local.arn_prefix}:kms:${local.arn_suffix}:key/00000000-0000-0000-0000-000000000000"
  worker_policy   = jsonencode({ Version = "2012-10-17", Statement = local.worker_statements })
  fence_policy    = jsonencode({ Version = "2012-10-17", Statement = local.fence_statements })

  # What IAM counts of all inline policies of a role, white space left out.
  policy_limit_characters = 10240
  policy_left_characters  = local.policy_limit_characters - length(local.worker_policy) - length(local.fence_policy)

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
        Resource  = local.key_placeholder
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
    # What CodeBuild does with this role to put the build into a network, after "Allow CodeBuild access to AWS services
    # required to create a VPC network interface" of its guide; to make, attach and remove is held to the project's subnets.
    [for vpc in local.vpcs : {
      Sid    = "LookAtNetwork"
      Effect = "Allow"
      Action = [
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ]
      Resource = "*" # these actions know no resource
    }],
    [for vpc in local.vpcs : {
      Sid    = "MakeNetworkInterface"
      Effect = "Allow"
      Action = "ec2:CreateNetworkInterface"
      Resource = concat(
        ["${local.ec2_arn_prefix}:network-interface/*"],
        local.subnet_arns,
        [for id in vpc.security_group_ids : "${local.ec2_arn_prefix}:security-group/${id}"],
      )
    }],
    [for vpc in local.vpcs : {
      Sid       = "RemoveNetworkInterface"
      Effect    = "Allow"
      Action    = "ec2:DeleteNetworkInterface"
      Resource  = "${local.ec2_arn_prefix}:network-interface/*"
      Condition = { ArnEquals = { "ec2:Subnet" = local.subnet_arns } }
    }],
    [for vpc in local.vpcs : {
      Sid      = "LendNetworkInterface"
      Effect   = "Allow"
      Action   = "ec2:CreateNetworkInterfacePermission"
      Resource = "${local.ec2_arn_prefix}:network-interface/*"
      Condition = {
        ArnEquals    = { "ec2:Subnet" = local.subnet_arns }
        StringEquals = { "ec2:AuthorizedService" = "codebuild.amazonaws.com" }
      }
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

  vpcs           = var.vpc == null ? [] : [var.vpc]
  ec2_arn_prefix = "${local.arn_prefix}:ec2:${local.arn_suffix}"
  subnet_arns    = flatten([for vpc in local.vpcs : [for id in vpc.subnet_ids : "${local.ec2_arn_prefix}:subnet/${id}"]])

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
      Resource  = local.key_placeholder
    },
    {
      Sid       = "DecryptNothingOfOthers"
      Effect    = "Deny"
      Action    = "kms:Decrypt"
      Resource  = local.key_placeholder
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
