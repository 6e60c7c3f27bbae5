mock_provider "aws" {}

variables {
  name             = "shop"
  trusted_role_arn = "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--shop"
  policy_arns      = ["arn:aws:iam::aws:policy/PowerUserAccess"]
}

run "only_the_projects_own_builds_of_its_branches_take_the_role" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Sid       = "BuildsOfThisProject"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--shop" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = { StringEquals = { "aws:RequestTag/branch" = ["main"] } }
    }]
    error_message = "Nobody else may take it."
  }

  assert {
    condition     = aws_iam_role.this.path == "/deploy/" && one(values(aws_iam_role_policy_attachment.this)).policy_arn == "arn:aws:iam::aws:policy/PowerUserAccess"
    error_message = "It is where the pipeline looks for it, with the rights that it was given."
  }
}

run "an_account_is_not_trusted" {
  command = plan

  variables {
    trusted_role_arn = "arn:aws:iam::123456789012:root"
  }

  expect_failures = [var.trusted_role_arn]
}

run "a_pattern_of_branches_is_none" {
  command = plan

  variables {
    branches = ["*"]
  }

  expect_failures = [var.branches]
}
