# A build has exactly these rights and the policies that its project's entry names, within the boundary of boundary.tf and
# the fence of fence.tf.

resource "aws_iam_role" "this" {
  name                 = local.role_name
  description          = "Deploys ${var.name}"
  permissions_boundary = coalesce(var.permissions_boundary, aws_iam_policy.boundary.arn)

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
  own_parameters     = [local.register_parameter, var.names.parameters.default, local.credentials_parameter]
  own_parameter_arns = [for name in local.own_parameters : "${local.parameter_arn_prefix}${name}"]

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
    [for alias in keys(local.token_purposes) : {
      Sid      = "AskTheBroker"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = local.own_alias_arn
    } if alias == "fetch"],
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
}
