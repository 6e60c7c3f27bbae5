# The role with which a pipeline deploys itself, and the ceiling that it and all that it makes in IAM live under. Applied once, by
# a person, with a state of its own: nothing that stands here can be changed by what it bounds.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account    = data.aws_caller_identity.this.account_id
  arn_prefix = "arn:${data.aws_partition.this.partition}"
  iam        = "${local.arn_prefix}:iam::${local.account}"
  path       = "/deploy/"

  # As text: the ceiling names itself and the role.
  ceiling_arn = "${local.iam}:policy${local.path}${var.config_path}-ceiling"
  role_arn    = "${local.iam}:role${local.path}${var.config_path}"
  bucket_arn  = "${local.arn_prefix}:s3:::${var.state_bucket}"

  # Two hyphens end a pipeline's name: no other pipeline's things begin so.
  pipeline = "${var.config_path}--"
}

resource "aws_iam_role" "this" {
  name                 = var.config_path
  path                 = local.path
  description          = "Applies the Terraform of the pipeline ${var.config_path}, from its own builds"
  permissions_boundary = aws_iam_policy.ceiling.arn
  max_session_duration = 3600 # AWS gives no more to a session that is taken from another

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "BuildsOfThePipelinesOwnRepository"
      Effect = "Allow"
      # By the condition it is one role. IAM would turn a role's ARN here into the id of the role that there is, and the next
      # one of that name, after the project was registered anew, could deploy nothing.
      Principal = { AWS = "${local.iam}:root" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        ArnEquals    = { "aws:PrincipalArn" = "${local.iam}:role/${local.pipeline}${data.aws_region.this.id}--${var.project}" }
        StringEquals = { "aws:RequestTag/branch" = var.branch }
      }
    }]
  })
}

# What the module needs, and what its next version will need. What it shall never have is left out by the ceiling.
resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = "${local.arn_prefix}:iam::aws:policy/AdministratorAccess"
}

resource "aws_iam_policy" "ceiling" {
  name        = "${var.config_path}-ceiling"
  path        = local.path
  description = "What ${var.config_path}, where it deploys itself, may be at most. Not to be attached as a policy: it allows nearly everything."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "All"
        Effect   = "Allow"
        Action   = "*"
        Resource = "*"
      },
      {
        # All of IAM but reads, by letters. So neither this role nor this ceiling, and no role of people, who have to be able to
        # come in when the pipeline cannot.
        Sid    = "OwnIdentitiesOnly"
        Effect = "Deny"
        Action = ["iam:A*", "iam:C*", "iam:D*", "iam:E*", "iam:P*", "iam:R*", "iam:Se*", "iam:T*", "iam:U*"]
        NotResource = [
          for kind in ["role", "user", "policy"] : "${local.iam}:${kind}/${local.pipeline}*"
        ]
      },
      {
        # A role that it made without would be its second self, and have no ceiling.
        Sid    = "PassTheCeilingOn"
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
        Condition = { StringNotEquals = { "iam:PermissionsBoundary" = local.ceiling_arn } }
      },
      {
        Sid      = "TakeNoCeilingOff"
        Effect   = "Deny"
        Action   = "iam:Delete*PermissionsBoundary"
        Resource = "*"
      },
      {
        # The project's role takes the deploy role, by the role's own trust; the other projects' roles take those of other
        # accounts. Nothing here is anybody else in this account.
        Sid         = "BeNobodyElse"
        Effect      = "Deny"
        Action      = ["sts:AssumeRole", "sts:AssumeRoot"]
        NotResource = local.role_arn
        Condition   = { StringEqualsIfExists = { "aws:ResourceAccount" = local.account } }
      },
      {
        # To read and write the state is what Terraform does. Not its older versions, which are the way back, nor who gets in.
        Sid       = "TheStateAndNoMoreOfIt"
        Effect    = "Deny"
        NotAction = ["s3:DeleteObject", "s3:GetBucket*", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      },
      {
        # What an edit of a file shall never cost, as far as no edit needs it: keys and who may use them, images, queues.
        Sid    = "KeepWhatCannotBeHadBack"
        Effect = "Deny"
        Action = [
          "ecr:BatchDeleteImage",
          "ecr:DeleteRepository",
          "kms:CreateGrant",
          "kms:DeleteImportedKeyMaterial",
          "kms:DisableKey",
          "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion",
          "sqs:DeleteQueue",
          "sqs:PurgeQueue",
          "sqs:ReceiveMessage",
        ]
        Resource = "*"
      },
      {
        # Credentials that people stored, and what is live.
        Sid      = "KeepWhatWasWritten"
        Effect   = "Deny"
        Action   = "ssm:DeleteParameter*"
        Resource = [for tree in ["credentials", "deployed"] : "${local.arn_prefix}:ssm:*:*:parameter/${var.config_path}-${tree}/*"]
      },
      {
        # Nor who asks, and who would hear of it. A project's own topic goes with its entry.
        Sid      = "KeepTheTopics"
        Effect   = "Deny"
        Action   = "sns:DeleteTopic"
        Resource = [for topic in [var.config_path, "${local.pipeline}reports"] : "${local.arn_prefix}:sns:*:*:${topic}"]
      },
      {
        Sid    = "LeaveTheAccountAlone"
        Effect = "Deny"
        Action = [
          "account:*",
          "cloudtrail:Delete*",
          "cloudtrail:Put*",
          "cloudtrail:StopLogging",
          "cloudtrail:UpdateTrail",
          "organizations:*",
        ]
        Resource = "*"
      },
    ]
  })
}
