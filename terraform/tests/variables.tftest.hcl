# What the pipeline's variables must refuse. Where one run has wrong values of several, each of these must fail.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

run "two_projects_do_not_differ_in_case_only" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh" }
      Shop = { git_url = "https://git.example/shop.git", command = "deploy.sh" }
    }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_launcher" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { Launcher = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_notifier" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { notifier = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_scheduler" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { Scheduler = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_topic_of_the_reports" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { reports = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "a_schedule_is_an_expression_of_the_scheduler" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "every hour" }
    }
  }

  expect_failures = [var.projects]
}

run "a_rate_is_not_nothing" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "rate(0 hours)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_cron_expression_has_six_fields" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "cron(0 3 * * *)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_time_names_no_zone" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "at(2030-01-01T03:00:00Z)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_clock_knows_no_tested_commit" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "rate(1 day)", require_commit = true }
    }
  }

  expect_failures = [var.projects]
}

run "a_schedule_needs_a_whole_branch_name" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["release/*"], schedule = "rate(1 day)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_schedule_does_not_guess_the_branch" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", schedule = "rate(1 day)" }
    }
  }

  expect_failures = [var.projects]
}

run "every_form_of_schedule_is_taken" {
  command = plan

  variables {
    projects = {
      hour   = { git_url = "https://git.example/a.git", command = "deploy.sh", branches = ["main"], schedule = "rate(1 hour)" }
      days   = { git_url = "https://git.example/b.git", command = "deploy.sh", branches = ["main"], schedule = "rate(10 days)" }
      nights = { git_url = "https://git.example/c.git", command = "deploy.sh", branches = ["main"], schedule = "cron(0 3 ? * MON-FRI *)" }
      once   = { git_url = "https://git.example/d.git", command = "deploy.sh", branches = ["main"], schedule = "at(2030-01-01T03:00:00)" }
    }
  }

  assert {
    condition     = length(aws_scheduler_schedule.project) == 4
    error_message = "Each must have its schedule."
  }
}

run "credentials_need_a_project_that_asks_for_them" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects    = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
    credentials = { shop = "{\"authToken\":\"x\"}" }
  }

  expect_failures = [var.credentials]
}

run "a_project_that_asks_for_credentials_gets_them" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 }
    }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
  }

  expect_failures = [var.credentials]
}

run "credentials_are_json" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 }
    }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
    credentials            = { shop = "token" }
  }

  expect_failures = [var.credentials]
}

run "credentials_are_an_object" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 }
    }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
    credentials            = { shop = "[\"authToken\"]" }
  }

  expect_failures = [var.credentials]
}

run "credentials_have_the_contracts_keys_only" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 }
    }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
    credentials            = { shop = "{\"token\":\"x\"}" }
  }

  expect_failures = [var.credentials]
}

run "half_a_credential_is_none" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 }
    }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
    credentials            = { shop = "{\"sshPrivateKey\":\"x\"}" }
  }

  expect_failures = [var.credentials]
}

run "terraform_must_be_a_keeper_of_the_credentials_it_writes" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", credentials_version = 1 }
    }
    credentials = { shop = "{\"authToken\":\"x\"}" }
  }

  expect_failures = [var.credential_keeper_arns]
}

run "a_keeper_is_a_role_or_a_user" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    credential_keeper_arns = ["arn:aws:iam::123456789012:root"]
  }

  expect_failures = [var.credential_keeper_arns]
}

run "seconds_of_waiting_are_whole" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    max_wait_seconds = 600.5
  }

  expect_failures = [var.max_wait_seconds]
}

run "a_trigger_is_not_given_up_at_once" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    max_wait_seconds = 59
  }

  expect_failures = [var.max_wait_seconds]
}

run "a_trigger_is_given_up_before_it_dies_of_old_age" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    max_wait_seconds = 604801
    retry_seconds    = 3600
  }

  expect_failures = [var.max_wait_seconds]
}

run "sqs_counts_to_a_thousand_tries" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    max_wait_seconds = 8801
    retry_seconds    = 20
  }

  expect_failures = [var.max_wait_seconds]
}

run "a_thousand_tries_are_allowed" {
  command = plan

  variables {
    max_wait_seconds = 8800
    retry_seconds    = 20
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.triggers.redrive_policy).maxReceiveCount == 1000
    error_message = "SQS takes up to a thousand."
  }
}

run "without_the_shared_topic_every_project_has_its_own" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    shared_topic = false
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true }
      site = { git_url = "https://git.example/shop.git", command = "deploy.sh" }
    }
  }

  expect_failures = [var.shared_topic]
}

run "without_the_shared_topic_there_is_a_project" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    shared_topic = false
  }

  expect_failures = [var.shared_topic]
}

run "a_publisher_needs_a_topic" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    shared_topic   = false
    publisher_arns = ["arn:aws:iam::210987654321:role/ci"]
    projects       = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true } }
  }

  expect_failures = [var.shared_topic]
}

run "more_own_topics_than_the_queues_policy_can_name_are_not_let_in_by_prefix_unasked" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { for number in range(500) : "project-${number}" => { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true } }
  }

  expect_failures = [var.projects]
}

run "a_projects_publisher_has_the_projects_topic" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", publisher = { ci = "github", subjects = ["repo:example/shop:ref:refs/heads/main"] } }
    }
  }

  expect_failures = [var.projects]
}

run "a_projects_publisher_of_another_account_has_the_projects_topic" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", publisher_arns = ["arn:aws:iam::210987654321:role/ci"] }
    }
  }

  expect_failures = [var.projects]
}

run "a_projects_publisher_has_no_wildcard" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher_arns = ["arn:aws:iam::210987654321:role/*"] }
    }
  }

  expect_failures = [var.projects]
}

run "two_projects_share_the_accounts_identity_provider" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher = { ci = "github", subjects = ["repo:example/shop:ref:refs/heads/main"] } }
      site = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher = { ci = "github", subjects = ["repo:example/site:ref:refs/heads/main"] } }
    }
  }

  assert {
    condition     = length(distinct([for publisher in values(output.publishers) : publisher.topic_arn])) == 2
    error_message = "Each has a role and a topic of its own."
  }
}

run "every_form_of_credentials_is_taken" {
  command = plan

  variables {
    projects = {
      token   = { git_url = "https://git.example/a.git", command = "deploy.sh", credentials_version = 1 }
      named   = { git_url = "https://git.example/b.git", command = "deploy.sh", credentials_version = 1 }
      basic   = { git_url = "https://git.example/c.git", command = "deploy.sh", credentials_version = 1 }
      ssh     = { git_url = "git@git.example:d.git", command = "deploy.sh", credentials_version = 1 }
      by_hand = { git_url = "https://git.example/e.git", command = "deploy.sh" }
    }
    credential_keeper_arns = ["arn:aws:iam::123456789012:role/terraform"]
    credentials = {
      token = "{\"authToken\":\"x\"}"
      named = "{\"authToken\":\"x\",\"basicUsername\":\"y\"}"
      basic = "{\"basicUsername\":\"x\",\"basicPassword\":\"y\"}"
      ssh   = "{\"sshPrivateKey\":\"x\",\"knownHosts\":\"y\"}"
    }
  }

  assert {
    condition     = length(output.projects) == 5
    error_message = "All five projects must be made."
  }
}

run "with_deploy_roles_only_a_project_holds_no_right_of_its_own" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    deploy_roles_only = true
    projects = {
      a = { git_url = "https://git.example/a.git", command = "x", deploy_role_arn = "arn:aws:iam::210987654321:role/a", policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"] }
    }
  }

  expect_failures = [var.deploy_roles_only]
}

run "with_deploy_roles_only_neither_a_policy_document" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    deploy_roles_only = true
    projects = {
      a = { git_url = "https://git.example/a.git", command = "x", deploy_role_arn = "arn:aws:iam::210987654321:role/a", policy_json = "{\"Statement\":[]}" }
    }
  }

  expect_failures = [var.deploy_roles_only]
}

run "with_deploy_roles_only_every_project_has_a_deploy_role" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    deploy_roles_only = true
    projects          = { a = { git_url = "https://git.example/a.git", command = "x" } }
  }

  expect_failures = [var.deploy_roles_only]
}

run "with_deploy_roles_only_a_project_with_a_deploy_role_is_fine" {
  command = plan

  variables {
    deploy_roles_only = true
    projects          = { a = { git_url = "https://git.example/a.git", command = "x", deploy_role_arn = "arn:aws:iam::210987654321:role/a" } }
  }

  assert {
    condition     = keys(output.projects) == ["a"]
    error_message = "It is the form that is recommended."
  }
}

run "nothing_is_counted_from_build_logs" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudformation_stack.build_logs[0].template_body).Resources.NoMetrics == {
      Type = "AWS::Logs::AccountPolicy"
      Properties = {
        PolicyName        = "iwomp-in-aws--build-logs"
        PolicyType        = "METRIC_EXTRACTION_POLICY"
        PolicyDocument    = "{\"EmbeddedMetricFormat\":{\"Status\":\"Disabled\"}}"
        SelectionCriteria = "LogGroupNamePrefix IN [\"/aws/codebuild/iwomp-in-aws--\"]"
        Scope             = "ALL"
      }
    }
    error_message = "A command prints into these logs what it likes."
  }
}

run "no_variable_takes_these_1" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path is one segment
    config_path = "a/b"

    # there are two architectures
    architecture = "arm"

    # an image tag is no reference
    image_tag = "worker:1"

    # a publisher is a role or a user
    publisher_arns = ["*"]

    # a retry waits for the launcher to end
    retry_seconds = 19

    # a project may build at least once an hour
    builds_per_hour = 0

    # a keeper of the register is a role or a user
    register_keeper_arns = ["arn:aws:sts::123456789012:assumed-role/terraform/session"]

    # one launcher is fewer than aws allows
    launcher_concurrency = 1

    # a retention is one of cloudwatchs
    log_retention_days = 100

    # a record is kept for a month at least
    deployed_records_days = 29

    # a boundary is a policy
    permissions_boundary = "arn:aws:iam::123456789012:role/boundary"

    # an alarm notifies an arn
    alarm_actions = ["on-call@example.org"]
  }

  expect_failures = [
    var.config_path,
    var.architecture,
    var.image_tag,
    var.publisher_arns,
    var.retry_seconds,
    var.builds_per_hour,
    var.register_keeper_arns,
    var.launcher_concurrency,
    var.log_retention_days,
    var.deployed_records_days,
    var.permissions_boundary,
    var.alarm_actions,
  ]
}

run "no_variable_takes_these_2" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path has single separators only
    config_path = "a--b"

    # a digest is whole
    image_tag = "sha256:abc"

    # a publisher has no wildcard
    publisher_arns = ["arn:aws:iam::210987654321:role/ci-*"]

    # a retry comes within the hour
    retry_seconds = 3601

    # the launcher looks back upon a hundred builds
    builds_per_hour = 101

    # a keeper of the register has no wildcard
    register_keeper_arns = ["arn:aws:iam::123456789012:role/*"]

    # a record is kept for whole days
    deployed_records_days = 30.5
  }

  expect_failures = [
    var.config_path,
    var.image_tag,
    var.publisher_arns,
    var.retry_seconds,
    var.builds_per_hour,
    var.register_keeper_arns,
    var.deployed_records_days,
  ]
}

run "no_variable_takes_these_3" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path ends in no separator
    config_path = "a-"

    # seconds are whole
    retry_seconds = 60.5

    # builds are whole
    builds_per_hour = 1.5

    # keepers of the register fit into lambdas environment
    register_keeper_arns = [for number in range(60) : "arn:aws:iam::123456789012:role/terraform-${number}"]
  }

  expect_failures = [
    var.config_path,
    var.retry_seconds,
    var.builds_per_hour,
    var.register_keeper_arns,
  ]
}

run "no_variable_takes_these_4" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path has no capitals that iam would take for small letters
    config_path = "Team"
  }

  expect_failures = [
    var.config_path,
  ]
}

run "no_variable_takes_these_5" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path is at most 32 long
    config_path = "a23456789012345678901234567890123"
  }

  expect_failures = [
    var.config_path,
  ]
}

run "no_variable_takes_these_6" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path does not look like a tree of another
    config_path = "team-credentials"
  }

  expect_failures = [
    var.config_path,
  ]
}

run "no_variable_takes_these_7" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path does not look like what is live of another
    config_path = "team-deployed"
  }

  expect_failures = [
    var.config_path,
  ]
}

run "no_variable_takes_these_8" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path does not look like what is paused of another
    config_path = "team-paused"
  }

  expect_failures = [
    var.config_path,
  ]
}

run "no_variable_takes_these_9" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path does not look like what was reported of another
    config_path = "team-reported"
  }

  expect_failures = [
    var.config_path,
  ]
}

run "no_variable_takes_these_10" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    # a config path does not take ssms reserved names
    config_path = "aws-deployments"
  }

  expect_failures = [
    var.config_path,
  ]
}
