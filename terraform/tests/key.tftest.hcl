mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

run "the_key_rotates" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "Rotation must be on."
  }
}

run "an_administrator_can_change_the_policy_and_nobody_gets_everything" {
  command = plan

  assert {
    condition = contains(
      one([for statement in jsondecode(aws_kms_key.this.policy).Statement : statement if statement.Sid == "Administer"]).Action,
      "kms:PutKeyPolicy",
    )
    error_message = "Without PutKeyPolicy for the account a mistake in the policy could never be mended."
  }

  assert {
    condition     = !strcontains(join(" ", flatten([for statement in jsondecode(aws_kms_key.this.policy).Statement : [statement.Action]])), "*")
    error_message = "No statement may grant actions by wildcard."
  }

  assert {
    condition = alltrue([
      for action in ["kms:Decrypt", "kms:CreateGrant", "kms:ReEncryptFrom", "kms:Encrypt"] : !contains(
        one([for statement in jsondecode(aws_kms_key.this.policy).Statement : statement if statement.Sid == "Administer"]).Action,
        action,
      )
    ])
    error_message = "To administer the key must not mean to read with it."
  }
}

run "only_builds_decrypt_and_only_parameters_of_this_pipeline" {
  command = plan

  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this.policy).Statement : statement
      if contains(flatten([statement.Action]), "kms:Decrypt")
      ] == [{
        Sid       = "ReadCredentialsInBuilds"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::123456789012:root" }
        Action    = "kms:Decrypt"
        Resource  = "*"
        Condition = {
          ArnLike      = { "aws:PrincipalArn" = "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--*" }
          StringEquals = { "kms:ViaService" = "ssm.eu-central-1.amazonaws.com" }
          StringLike = {
            "kms:EncryptionContext:PARAMETER_ARN" = [
              "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/*",
              "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-credentials/*",
              "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-notify/*",
            ]
          }
        }
    }]
    error_message = "Nobody but a build's role may decrypt, and only through SSM."
  }
}

run "who_writes_credentials_cannot_read_them" {
  command = plan

  assert {
    condition     = one([for statement in jsondecode(aws_kms_key.this.policy).Statement : statement if statement.Sid == "WriteCredentials"]).Action == ["kms:Encrypt", "kms:GenerateDataKey"]
    error_message = "`iwomp secret set` needs Encrypt and GenerateDataKey and no more."
  }
}

run "keepers_of_credentials_are_named_one_by_one" {
  command = plan

  variables {
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
  }

  assert {
    condition     = one([for statement in jsondecode(aws_kms_key.this.policy).Statement : statement if statement.Sid == "ReadCredentialsBack"]).Condition.ArnEquals == { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/terraform"] }
    error_message = "A keeper must be able to read back what Terraform wrote."
  }
}
