# Denials around the pipeline and the other projects. They hold whatever the project's own policies allow, and also where
# somebody else's permissions boundary takes the place of ours: a broad policy could otherwise take every other project's role
# by way of the pipeline itself. It is for the same reason that no project can deploy the pipeline with its own role: that takes
# a role from outside, under a ceiling (docs/decisions/0027-a-pipeline-deploys-itself-under-a-ceiling.md).
#
# A denial can leave out nothing. What is a project's own and cannot be told from another's by a pattern (its log, its record of
# what is live) is for boundary.tf.

resource "aws_iam_role_policy" "fence" {
  name   = "fence"
  role   = aws_iam_role.this.id
  policy = replace(local.fence_policy, local.key_placeholder, var.key_arn)
}

locals {
  # In any region and account: a second pipeline of this name, in another region, is none of this project's business either.
  pipeline_triggers = [
    "${local.arn_prefix}:sns:*:*:${var.config_path}",
    "${local.arn_prefix}:sns:*:*:${var.config_path}:*", # subscriptions, which Unsubscribe is about
    "${local.arn_prefix}:sns:*:*:${var.names.prefix}*",
    "${local.arn_prefix}:sqs:*:*:${var.names.prefix}*",
    "${local.arn_prefix}:scheduler:*:*:schedule-group/${var.config_path}",
    "${local.arn_prefix}:scheduler:*:*:schedule/${var.config_path}/*",
    "${local.arn_prefix}:events:*:*:rule/${var.names.prefix}*",
  ]
  pipeline_functions = "${local.arn_prefix}:lambda:*:*:function:${var.names.prefix}*"
  pipeline_watch = [
    "${local.arn_prefix}:cloudwatch:*:*:alarm:${var.names.prefix}*",
    "${local.arn_prefix}:cloudwatch:*:*:dashboard/${var.names.prefix}*",
    "${local.arn_prefix}:logs:*:*:log-group:/aws/lambda/${var.names.prefix}*",
  ]
  pipeline_builds     = "${local.arn_prefix}:codebuild:*:*:*/${var.names.prefix}*"
  pipeline_build_logs = "${local.arn_prefix}:logs:*:*:log-group:/aws/codebuild/${var.names.prefix}*"
  pipeline_identities = "${local.arn_prefix}:iam::*:*/${var.names.prefix}*" # roles, users, policies
  pipeline_parameters = "${local.arn_prefix}:ssm:*:*:parameter"

  # IAM things of a project's own making live under this path, and nowhere else. IAM knows no regions: hence the region.
  own_path = "/${var.config_path}/${var.account.region}/${local.short_name}/"
  # IAM takes some 6000 characters of a policy, in which the path stands often.
  short_name = length(var.name) <= 24 ? var.name : "${substr(var.name, 0, 15)}-${substr(sha256(var.name), 0, 8)}"

  fence_statements = concat(
    [
      {
        Sid      = "LeaveBuildsAlone"
        Effect   = "Deny"
        Action   = "codebuild:*"
        Resource = local.pipeline_builds
      },
      {
        # Topics that do not exist included: the launcher takes a project's name from the name of a topic.
        Sid      = "LeaveTriggersAlone"
        Effect   = "Deny"
        Action   = compact(["events:*", local.uses_app ? "" : "lambda:*", "scheduler:*", "sns:*", "sqs:*"])
        Resource = concat(local.pipeline_triggers, local.uses_app ? [] : [local.pipeline_functions])
      },
      {
        # The pipeline's metrics are read from these logs: whoever can write there can tell those who watch what is not so.
        Sid      = "LeaveWatchAlone"
        Effect   = "Deny"
        Action   = ["cloudwatch:*", "logs:*"]
        Resource = local.pipeline_watch
      },
      {
        # A build writes into its own log, and reads none.
        Sid       = "LeaveLogsAlone"
        Effect    = "Deny"
        NotAction = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource  = local.pipeline_build_logs
      },
      {
        # Everything but to read, in particular labels: of a parameter's hundred versions SSM forgets none that has one, and
        # takes no further version.
        Sid       = "LeaveRegisterAlone"
        Effect    = "Deny"
        NotAction = ["ssm:Describe*", "ssm:GetParameter*", "ssm:List*"]
        Resource  = [for tree in ["register", "credentials", "notify", "paused", "reported"] : "${local.pipeline_parameters}${var.names.parameters[tree]}/*"]
      },
      {
        # Without its record, every old commit of a branch could be pinned again. The worker writes its own, and no more.
        Sid       = "LeaveRecordsStanding"
        Effect    = "Deny"
        NotAction = ["ssm:Describe*", "ssm:GetParameter*", "ssm:List*", "ssm:PutParameter"]
        Resource  = "${local.pipeline_parameters}${var.names.parameters.deployed}/*"
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
        Condition = { StringNotLike = { "kms:EncryptionContext:PARAMETER_ARN" = [for name in local.own_parameters : "*:parameter${name}"] } }
      },
      {
        Sid       = "LeaveImagesAlone"
        Effect    = "Deny"
        NotAction = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource  = var.repository_arn
      },
    ],
    local.broker_statements,
    local.nameless_statements,
    local.identity_statements,
  )

  broker_statements = concat(
    [for uses in [local.uses_app] : {
      Sid       = "LeaveFunctionsAlone"
      Effect    = "Deny"
      NotAction = "lambda:InvokeFunction"
      Resource  = local.pipeline_functions
    } if uses],
    # No pattern tells its own alias from another project's: that is for boundary.tf.
    [for uses in [local.uses_app] : {
      Sid    = "CallTheBrokerToFetchOnly"
      Effect = "Deny"
      Action = "lambda:InvokeFunction"
      Resource = [
        for name in ["launcher*", "notifier*", "courier*", "broker", "broker:$LATEST", "broker:notify-*"] :
        "${local.arn_prefix}:lambda:*:*:function:${var.names.prefix}${name}"
      ]
    } if uses],
    [for arn in compact([var.app_key_arn]) : {
      Sid      = "LeaveAppKeyAlone"
      Effect   = "Deny"
      Action   = "kms:*"
      Resource = arn
    }],
  )

  # What reaches the pipeline without naming anything of it, so that no resource of a statement could keep it off.
  nameless_statements = [
    {
      # The resource of the first is nothing, of the others the mapping, which has a name that nobody knows before.
      Sid       = "MapNothingToThePipeline"
      Effect    = "Deny"
      Action    = "lambda:*EventSourceMapping"
      Resource  = "*"
      Condition = { ArnLike = { "lambda:FunctionArn" = local.pipeline_functions } }
    },
    {
      Sid       = "CountNothingInOurName"
      Effect    = "Deny"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = "iwomp" } }
    },
    {
      # What is for a whole account, the pipeline's part of it included: the first six read or rewrite every log, or let
      # services write there; the next two bring images under any name; then what the alarm on the register is made of; and
      # what ends everything.
      Sid    = "LeaveAccountAlone"
      Effect = "Deny"
      Action = [
        "logs:*AccountPolicy",
        "logs:*IndexPolicy",
        "logs:*PipelineRule",
        "logs:*ResourcePolicy",
        "logs:*StorageTierPolicy",
        "logs:Link",
        "ecr:*RegistryPolicy",
        "ecr:*ReplicationConfiguration",
        "cloudtrail:Delete*",
        "cloudtrail:Put*",
        "cloudtrail:StopLogging",
        "cloudtrail:UpdateTrail",
        "events:UpdateEventBus",
        "account:*",
        "organizations:LeaveOrganization",
      ]
      Resource = "*"
    },
  ]

  # A role that a build may make, pass or take would be the build's second self, and have no fence. So a project makes its IAM
  # things under a path of its own, each with the project's boundary (the delegation pattern of IAM), and is nobody else's.
  identity_statements = [
    {
      # All of IAM but reads. By letters: a verb that IAM adds is then denied, or of a letter that no write has yet.
      Sid         = "BeOwnIdentitiesOnly"
      Effect      = "Deny"
      Action      = ["iam:A*", "iam:C*", "iam:D*", "iam:E*", "iam:P*", "iam:R*", "iam:Se*", "iam:T*", "iam:U*", "sts:AssumeRole", "sts:AssumeRoot"]
      NotResource = local.own_identities
      # Roles of other accounts know nothing of this pipeline, and trust whom they choose.
      Condition = { StringEqualsIfExists = { "aws:ResourceAccount" = var.account.id } }
    },
    {
      Sid    = "PassTheBoundaryOn"
      Effect = "Deny"
      Action = [
        "iam:Attach*Policy",
        "iam:CreateRole",
        "iam:CreateUser",
        "iam:PutRole*",
        "iam:PutUser*",
        "iam:UpdateAssumeRolePolicy",
      ]
      Resource  = "*"
      Condition = { StringNotEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
    },
    {
      Sid      = "TakeNoBoundaryOff"
      Effect   = "Deny"
      Action   = "iam:Delete*PermissionsBoundary"
      Resource = "*"
    },
  ]

  # Kind by kind: a wildcard for the kind would let a path begin with somebody else's. Four letters are `role` and `user`.
  own_made = [
    for kind in ["????", "policy", "instance-profile"] :
    "${local.arn_prefix}:iam::${var.account.id}:${kind}${local.own_path}*"
  ]
  own_identities = concat(
    local.own_made,
    [
      "${local.arn_prefix}:iam::${var.account.id}:role/aws-service-role/*",  # AWS's own, which only AWS takes
      "${local.arn_prefix}:iam::${var.account.id}:oidc-provider/oidc.eks.*", # have no path; trusted by whoever's role says so
    ],
    compact([var.deploy_role_arn]),
    var.other_role_arns,
  )
}
