# Limits of AWS that a plan can know are errors of the plan, with the number. A project's stand in project.tftest.hcl; those of
# names, environments and queues beside the rules of their variables.

mock_provider "aws" {
  source = "./tests/mocks"
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

  module {
    source = "./tests/inputs/pipeline"
  }

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

  module {
    source = "./tests/inputs/pipeline"
  }

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

  module {
    source = "./tests/inputs/pipeline"
  }

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

  module {
    source = "./tests/inputs/pipeline"
  }

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

  module {
    source = "./tests/inputs/pipeline"
  }

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

  module {
    source = "./tests/inputs/pipeline"
  }

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
