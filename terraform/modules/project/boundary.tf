# What a build may be at most, and with it every role and user that a build makes: all of AWS, but of the pipeline's things
# only what the worker needs. Where fence.tf lists what is denied, this leaves out what is the pipeline's: an action that
# nobody thought of is no way in.

resource "aws_iam_policy" "boundary" {
  name        = local.boundary_name
  description = "What ${var.name}, and whatever its deployments make, may be at most. Not to be attached as a policy: it allows nearly everything."
  policy      = replace(local.boundary_policy, local.key_placeholder, var.key_arn)

  lifecycle {
    precondition {
      condition     = length(local.boundary_policy) <= 6144
      error_message = "The boundary of ${var.name} is larger than the 6144 characters that IAM takes: shorten the names, or other_role_arns. It has ${length(local.boundary_policy)}."
    }
  }
}

locals {
  boundary_name   = "${substr(local.role_name, 0, min(length(local.role_name), 118))}-boundary"
  boundary_policy = jsonencode({ Version = "2012-10-17", Statement = local.boundary_statements })
  # As text: the boundary names itself.
  boundary_arn = "${local.arn_prefix}:iam::${var.account.id}:policy/${local.boundary_name}"

  pipeline_things = concat(
    local.pipeline_triggers,
    local.pipeline_watch,
    [
      local.pipeline_functions,
      local.pipeline_builds,
      local.pipeline_build_logs,
      local.pipeline_identities,
      "${local.arn_prefix}:iam::*:*/${var.config_path}/*",
      "${local.pipeline_parameters}${var.names.parameters.register}",
      "${local.pipeline_parameters}${var.names.parameters.register}/*",
      "${local.pipeline_parameters}${var.names.parameters.register}-*", # the other trees
      "${local.pipeline_parameters}/",                                  # GetParametersByPath from the root up
      local.key_placeholder,
      "${local.arn_prefix}:kms:*:*:${var.key_alias}",
      var.repository_arn,
      "${local.arn_prefix}:cloudformation:*:*:stack/${var.names.prefix}*",
    ],
    compact([var.app_key_arn]),
  )

  # What the worker needs of the pipeline's things, as in role.tf, in the fewest characters: IAM takes 6144.
  boundary_statements = concat(
    [
      {
        Effect      = "Allow"
        Action      = "*"
        NotResource = local.pipeline_things
      },
      {
        Effect   = "Allow"
        Action   = "*"
        Resource = concat(local.own_made, compact([var.deploy_role_arn]), var.other_role_arns)
      },
      {
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters"]
        Resource = [for name in local.own_parameters : "${local.arn_prefix}:ssm:*:*:parameter${name}"]
      },
      {
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"]
        Resource = [for name in [local.deployed_parameters, local.seen_parameter] : "${local.arn_prefix}:ssm:*:*:parameter${name}"]
      },
      {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = local.key_placeholder
        Condition = { StringLike = { "kms:EncryptionContext:PARAMETER_ARN" = [for name in local.own_parameters : "*:parameter${name}"] } }
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.arn_prefix}:logs:*:*:log-group:/aws/codebuild/${local.full_name}:*" # its streams
      },
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.repository_arn
      },
    ],
    [for uses in [local.uses_app] : {
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = local.own_alias_arn
    } if uses],
    [for statement in concat(local.nameless_statements, local.identity_statements) : { for key, value in statement : key => value if key != "Sid" }],
  )
}
