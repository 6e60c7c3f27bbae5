# One project's deploy role, in the account that it deploys to. Applied there, with that account's credentials.

resource "aws_iam_role" "this" {
  name                 = var.name
  path                 = "/${var.path}"
  description          = "What deployments of ${var.name} may do here"
  permissions_boundary = var.permissions_boundary
  # The worker's session is taken from another, and AWS gives those an hour.
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "BuildsOfThisProject"
      Effect = "Allow"
      # One role, never its account: that would trust everybody there who may write a policy.
      Principal = { AWS = var.trusted_role_arn }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      # What the worker says of itself. A session for another branch is none.
      Condition = { StringEquals = { "aws:RequestTag/branch" = var.branches } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for position, arn in var.policy_arns : position => arn }

  role       = aws_iam_role.this.name
  policy_arn = each.value
}
