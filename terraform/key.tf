# The key of the Git credentials. SSM names the parameter in the encryption context of every call, so key policy and role
# policies can tell one project's credentials from another's.

resource "aws_kms_key" "this" {
  description         = "Git credentials of the deployment pipeline ${var.config_path}"
  enable_key_rotation = true
  policy              = jsonencode({ Version = "2012-10-17", Statement = local.key_statements })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.config_path}"
  target_key_id = aws_kms_key.this.key_id
}

locals {
  iam_arn_prefix       = "arn:${local.account.partition}:iam::${local.account.id}"
  parameter_arn_prefix = "arn:${local.account.partition}:ssm:${local.arn_suffix}:parameter"

  # The usual key policy gives `kms:*` to the account, so that any policy with kms:Decrypt on "*" opens the credentials. Here
  # the account (and through its IAM policies, its administrators) keeps everything but Decrypt. Nobody can be locked out:
  # whoever IAM lets call PutKeyPolicy can change this policy, in plain sight of CloudTrail.
  key_statements = concat(
    [
      {
        Sid       = "Administer"
        Effect    = "Allow"
        Principal = { AWS = "${local.iam_arn_prefix}:root" }
        # Neither Decrypt nor CreateGrant, which could give it away. "*" is this key: a key policy has no other resource.
        Action = [
          "kms:CancelKeyDeletion",
          "kms:CreateAlias",
          "kms:DeleteAlias",
          "kms:DescribeKey",
          "kms:DisableKey",
          "kms:DisableKeyRotation",
          "kms:EnableKey",
          "kms:EnableKeyRotation",
          "kms:GetKeyPolicy",
          "kms:GetKeyRotationStatus",
          "kms:ListGrants",
          "kms:ListKeyPolicies",
          "kms:ListKeyRotations",
          "kms:ListResourceTags",
          "kms:PutKeyPolicy",
          "kms:RevokeGrant",
          "kms:RotateKeyOnDemand",
          "kms:ScheduleKeyDeletion",
          "kms:TagResource",
          "kms:UntagResource",
          "kms:UpdateAlias",
          "kms:UpdateKeyDescription",
        ]
        Resource = "*"
      },
      {
        # Through SSM and for the pipeline's parameters only, by whom IAM allows: what `iwomp secret set` needs.
        Sid       = "WriteCredentials"
        Effect    = "Allow"
        Principal = { AWS = "${local.iam_arn_prefix}:root" }
        # GenerateDataKey is Encrypt for parameters over 4 KB.
        Action    = ["kms:Encrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = local.pipeline_parameters_through_ssm
      },
      {
        # A role's own policy narrows this to its own parameters (modules/project/role.tf); both must allow.
        Sid       = "ReadCredentialsInBuilds"
        Effect    = "Allow"
        Principal = { AWS = "${local.iam_arn_prefix}:root" }
        Action    = "kms:Decrypt"
        Resource  = "*"
        Condition = merge(local.pipeline_parameters_through_ssm, {
          ArnLike = { "aws:PrincipalArn" = "${local.iam_arn_prefix}:role/${local.names.iam_prefix}*" }
        })
      },
    ],
    [for arns in [var.credential_keeper_arns] : {
      Sid       = "ReadCredentialsBack"
      Effect    = "Allow"
      Principal = { AWS = "${local.iam_arn_prefix}:root" }
      Action    = "kms:Decrypt"
      Resource  = "*"
      Condition = merge(local.pipeline_parameters_through_ssm, { ArnEquals = { "aws:PrincipalArn" = sort(arns) } })
    } if length(arns) > 0],
  )

  pipeline_parameters_through_ssm = {
    StringEquals = { "kms:ViaService" = "ssm.${local.account.region}.${data.aws_partition.this.dns_suffix}" }
    StringLike = {
      "kms:EncryptionContext:PARAMETER_ARN" = [
        "${local.parameter_arn_prefix}${local.names.parameters.register}/*",
        "${local.parameter_arn_prefix}${local.names.parameters.credentials}/*",
        "${local.parameter_arn_prefix}${local.names.parameters.notify}/*",
      ]
    }
  }
}
