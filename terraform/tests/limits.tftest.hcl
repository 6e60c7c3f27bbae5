# Limits of AWS that a plan can know are errors of the plan, with the number. Those of names, environments and queues stand beside
# the rules of their variables.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "a_policy_that_does_not_fit_beside_ours_is_refused" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name           = "shop"
    account        = { id = "123456789012", partition = "aws", region = "eu-central-1" }
    config_path    = "iwomp-in-aws"
    names          = { prefix = "iwomp-in-aws--", iam_prefix = "iwomp-in-aws--eu-central-1--" }
    git_url        = "https://git.example/shop.git"
    command        = "deploy.sh"
    image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
    repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
    key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    key_alias      = "alias/iwomp-in-aws"
    policy_json    = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = [for number in range(400) : "s3:Get${number}Something"], Resource = "*" }] })
  }

  expect_failures = [aws_iam_role_policy.project]
}

run "white_space_of_a_policy_does_not_count_and_the_rest_of_the_limit_can_be_used" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name           = "shop"
    account        = { id = "123456789012", partition = "aws", region = "eu-central-1" }
    config_path    = "iwomp-in-aws"
    names          = { prefix = "iwomp-in-aws--", iam_prefix = "iwomp-in-aws--eu-central-1--" }
    git_url        = "https://git.example/shop.git"
    command        = "deploy.sh"
    image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
    repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
    key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    key_alias      = "alias/iwomp-in-aws"
    policy_json    = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"${format("%9000s", "")} }]
      }
    JSON
  }

  assert {
    condition     = local.policy_left_characters == 10240 - length(aws_iam_role_policy.worker.policy) - length(aws_iam_role_policy.fence.policy)
    error_message = "What is left must be measured on the policies as IAM gets them."
  }
}

run "iam_attaches_ten_policies_to_a_role" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name           = "shop"
    account        = { id = "123456789012", partition = "aws", region = "eu-central-1" }
    config_path    = "iwomp-in-aws"
    names          = { prefix = "iwomp-in-aws--", iam_prefix = "iwomp-in-aws--eu-central-1--" }
    git_url        = "https://git.example/shop.git"
    command        = "deploy.sh"
    image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
    repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
    key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    key_alias      = "alias/iwomp-in-aws"
    policy_arns    = [for number in range(11) : "arn:aws:iam::123456789012:policy/deploy-${number}"]
  }

  expect_failures = [var.policy_arns]
}

run "an_entry_that_no_parameter_holds_is_refused" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name           = "shop"
    account        = { id = "123456789012", partition = "aws", region = "eu-central-1" }
    config_path    = "iwomp-in-aws"
    names          = { prefix = "iwomp-in-aws--", iam_prefix = "iwomp-in-aws--eu-central-1--" }
    git_url        = "https://git.example/shop.git"
    command        = "deploy.sh"
    image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
    repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
    key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    key_alias      = "alias/iwomp-in-aws"
    ca_bundle      = "-----BEGIN CERTIFICATE-----\n${replace(format("%8400s", ""), " ", "x")}\n-----END CERTIFICATE-----\n"
  }

  expect_failures = [aws_ssm_parameter.register]
}

run "a_parameter_holds_bytes_and_not_characters" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name           = "shop"
    account        = { id = "123456789012", partition = "aws", region = "eu-central-1" }
    config_path    = "iwomp-in-aws"
    names          = { prefix = "iwomp-in-aws--", iam_prefix = "iwomp-in-aws--eu-central-1--" }
    git_url        = "https://git.example/shop.git"
    command        = "deploy.sh"
    image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
    repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
    key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    key_alias      = "alias/iwomp-in-aws"
    ca_bundle      = "-----BEGIN CERTIFICATE-----\n${replace(format("%4100s", ""), " ", "ä")}\n-----END CERTIFICATE-----\n"
  }

  expect_failures = [aws_ssm_parameter.register]
}

run "a_trust_policy_has_room_for_some_subjects" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    topic_arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
    ci        = "github"
    subjects  = [for number in range(40) : "repo:example/shop:ref:refs/heads/a-branch-${number}"]
  }

  expect_failures = [aws_iam_role.this]
}

run "cloudwatch_takes_five_actions_of_an_alarm" {
  command = plan

  variables {
    image_tag     = "test"
    launcher_zip  = "versions.tf"
    notifier_zip  = "versions.tf"
    alarm_actions = [for number in range(6) : "arn:aws:sns:eu-central-1:123456789012:on-call-${number}"]
  }

  expect_failures = [var.alarm_actions]
}

run "the_keys_policy_has_room_for_some_keepers" {
  command = plan

  variables {
    image_tag              = "test"
    launcher_zip           = "versions.tf"
    notifier_zip           = "versions.tf"
    credential_keeper_arns = [for number in range(600) : "arn:aws:iam::123456789012:role/a-keeper-of-credentials-${number}"]
  }

  expect_failures = [var.credential_keeper_arns]
}

run "the_topics_policy_has_room_for_some_publishers" {
  command = plan

  variables {
    image_tag      = "test"
    launcher_zip   = "versions.tf"
    notifier_zip   = "versions.tf"
    publisher_arns = [for number in range(600) : "arn:aws:iam::210987654321:role/a-publisher-elsewhere-${number}"]
  }

  expect_failures = [var.publisher_arns]
}

run "a_projects_topic_has_room_for_some_publishers" {
  command = plan

  variables {
    image_tag    = "test"
    launcher_zip = "versions.tf"
    notifier_zip = "versions.tf"
    projects     = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher_arns = [for number in range(600) : "arn:aws:iam::210987654321:role/a-publisher-elsewhere-${number}"] } }
  }

  expect_failures = [var.projects]
}

run "a_schedule_has_256_characters" {
  command = plan

  variables {
    image_tag    = "test"
    launcher_zip = "versions.tf"
    notifier_zip = "versions.tf"
    projects     = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "cron(${join(",", range(200))} 3 * * ? *)" } }
  }

  expect_failures = [var.projects]
}

run "credentials_fit_into_a_parameter" {
  command = plan

  variables {
    image_tag              = "test"
    launcher_zip           = "versions.tf"
    notifier_zip           = "versions.tf"
    projects               = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 } }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
    credentials            = { shop = jsonencode({ authToken = format("%9000s", "") }) }
  }

  expect_failures = [var.credentials]
}
