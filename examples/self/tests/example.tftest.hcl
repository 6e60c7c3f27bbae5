# That the example is what it says. That IAM then does what is asked of it, local/tests/test_self.py shows.

mock_provider "aws" {
  source          = "../../terraform/tests/mocks"
  override_during = plan
}

override_resource {
  target          = aws_iam_policy.ceiling
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:policy/deploy/iwomp-in-aws-ceiling" }
}

variables {
  state_bucket = "a-teams-state"
}

run "the_role_and_all_that_it_makes_are_under_the_ceiling" {
  command = plan

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_policy.ceiling.policy).Statement : statement if statement.Sid == "PassTheCeilingOn"
      ]) == {
      Sid       = "PassTheCeilingOn"
      Effect    = "Deny"
      Action    = ["iam:Attach*Policy", "iam:CreateRole", "iam:CreateUser", "iam:PutRole*", "iam:PutUser*", "iam:UpdateAssumeRolePolicy"]
      Resource  = "*"
      Condition = { StringNotEquals = { "iam:PermissionsBoundary" = local.ceiling_arn } }
    }
    error_message = "What is made must carry the ceiling."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == aws_iam_policy.ceiling.arn
    error_message = "The role itself must be under it."
  }

  assert {
    condition     = local.ceiling_arn == "${local.iam}:policy${aws_iam_policy.ceiling.path}${aws_iam_policy.ceiling.name}"
    error_message = "The ceiling must name itself."
  }

  assert {
    condition     = local.role_arn == "${local.iam}:role${aws_iam_role.this.path}${aws_iam_role.this.name}"
    error_message = "The ceiling must name the role."
  }

  assert {
    condition     = length(aws_iam_policy.ceiling.policy) <= 6144
    error_message = "IAM takes 6144 characters of a managed policy."
  }
}
