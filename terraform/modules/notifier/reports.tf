# What people subscribe to: an e-mail address, a chat, a webhook.

resource "aws_sns_topic" "reports" {
  #checkov:skip=CKV_AWS_26:With a key of ours the notifier, which is to have no right on any key, would need two. A report holds no secret.
  name         = "${var.names.prefix}reports"
  display_name = "iwomp deployments"
}

resource "aws_sns_topic_policy" "reports" {
  arn = aws_sns_topic.reports.arn

  # It grants nothing, as the policies of the other topics: who may subscribe, IAM says; the notifier's role says that it may
  # publish. The denials are there so that a report can be believed, whatever other policies allow.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # AWS's services act for no principal, so that they are denied as well.
        Sid       = "OnlyNotifierAndCourierReport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = [local.role_arn, local.courier_role_arn] } }
      },
      {
        Sid       = "NobodyFromOutside"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Subscribe"
        Resource  = local.topic_arn
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = [var.account.id] } }
      },
    ]
  })
}

locals {
  topic_arn = "${local.arn_prefix}:sns:${local.arn_suffix}:${var.names.prefix}reports"
}
