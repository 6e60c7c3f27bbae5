# What the pipeline's variables must refuse, one rule a run.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

run "a_config_path_is_one_segment" {
  command = plan

  variables {
    config_path = "a/b"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_has_single_separators_only" {
  command = plan

  variables {
    config_path = "a--b"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_ends_in_no_separator" {
  command = plan

  variables {
    config_path = "a-"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_has_no_capitals_that_iam_would_take_for_small_letters" {
  command = plan

  variables {
    config_path = "Team"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_is_at_most_32_long" {
  command = plan

  variables {
    config_path = "a23456789012345678901234567890123"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_does_not_look_like_a_tree_of_another" {
  command = plan

  variables {
    config_path = "team-credentials"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_does_not_look_like_what_is_live_of_another" {
  command = plan

  variables {
    config_path = "team-deployed"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_does_not_look_like_what_is_paused_of_another" {
  command = plan

  variables {
    config_path = "team-paused"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_does_not_look_like_what_was_reported_of_another" {
  command = plan

  variables {
    config_path = "team-reported"
  }

  expect_failures = [var.config_path]
}

run "a_config_path_does_not_take_ssms_reserved_names" {
  command = plan

  variables {
    config_path = "aws-deployments"
  }

  expect_failures = [var.config_path]
}

run "there_are_two_architectures" {
  command = plan

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "an_image_tag_is_no_reference" {
  command = plan

  variables {
    image_tag = "worker:1"
  }

  expect_failures = [var.image_tag]
}

run "a_digest_is_whole" {
  command = plan

  variables {
    image_tag = "sha256:abc"
  }

  expect_failures = [var.image_tag]
}

run "two_projects_do_not_differ_in_case_only" {
  command = plan

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

  variables {
    projects = { Launcher = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_notifier" {
  command = plan

  variables {
    projects = { notifier = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_scheduler" {
  command = plan

  variables {
    projects = { Scheduler = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "no_project_is_called_like_the_topic_of_the_reports" {
  command = plan

  variables {
    projects = { reports = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
  }

  expect_failures = [var.projects]
}

run "a_schedule_is_an_expression_of_the_scheduler" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "every hour" }
    }
  }

  expect_failures = [var.projects]
}

run "a_rate_is_not_nothing" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "rate(0 hours)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_cron_expression_has_six_fields" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "cron(0 3 * * *)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_time_names_no_zone" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "at(2030-01-01T03:00:00Z)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_clock_knows_no_tested_commit" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main"], schedule = "rate(1 day)", require_commit = true }
    }
  }

  expect_failures = [var.projects]
}

run "a_schedule_needs_a_whole_branch_name" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["release/*"], schedule = "rate(1 day)" }
    }
  }

  expect_failures = [var.projects]
}

run "a_schedule_does_not_guess_the_branch" {
  command = plan

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

  variables {
    projects    = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh" } }
    credentials = { shop = "{\"authToken\":\"x\"}" }
  }

  expect_failures = [var.credentials]
}

run "a_project_that_asks_for_credentials_gets_them" {
  command = plan

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

  variables {
    credential_keeper_arns = ["arn:aws:iam::123456789012:root"]
  }

  expect_failures = [var.credential_keeper_arns]
}

run "a_publisher_is_a_role_or_a_user" {
  command = plan

  variables {
    publisher_arns = ["*"]
  }

  expect_failures = [var.publisher_arns]
}

run "a_publisher_has_no_wildcard" {
  command = plan

  variables {
    publisher_arns = ["arn:aws:iam::210987654321:role/ci-*"]
  }

  expect_failures = [var.publisher_arns]
}

run "a_retry_waits_for_the_launcher_to_end" {
  command = plan

  variables {
    retry_seconds = 19
  }

  expect_failures = [var.retry_seconds]
}

run "a_retry_comes_within_the_hour" {
  command = plan

  variables {
    retry_seconds = 3601
  }

  expect_failures = [var.retry_seconds]
}

run "seconds_are_whole" {
  command = plan

  variables {
    retry_seconds = 60.5
  }

  expect_failures = [var.retry_seconds]
}

run "seconds_of_waiting_are_whole" {
  command = plan

  variables {
    max_wait_seconds = 600.5
  }

  expect_failures = [var.max_wait_seconds]
}

run "a_trigger_is_not_given_up_at_once" {
  command = plan

  variables {
    max_wait_seconds = 59
  }

  expect_failures = [var.max_wait_seconds]
}

run "a_trigger_is_given_up_before_it_dies_of_old_age" {
  command = plan

  variables {
    max_wait_seconds = 604801
    retry_seconds    = 3600
  }

  expect_failures = [var.max_wait_seconds]
}

run "sqs_counts_to_a_thousand_tries" {
  command = plan

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

run "a_project_may_build_at_least_once_an_hour" {
  command = plan

  variables {
    builds_per_hour = 0
  }

  expect_failures = [var.builds_per_hour]
}

run "the_launcher_looks_back_upon_a_hundred_builds" {
  command = plan

  variables {
    builds_per_hour = 101
  }

  expect_failures = [var.builds_per_hour]
}

run "builds_are_whole" {
  command = plan

  variables {
    builds_per_hour = 1.5
  }

  expect_failures = [var.builds_per_hour]
}

run "a_keeper_of_the_register_is_a_role_or_a_user" {
  command = plan

  variables {
    register_keeper_arns = ["arn:aws:sts::123456789012:assumed-role/terraform/session"]
  }

  expect_failures = [var.register_keeper_arns]
}

run "a_keeper_of_the_register_has_no_wildcard" {
  command = plan

  variables {
    register_keeper_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  expect_failures = [var.register_keeper_arns]
}

run "keepers_of_the_register_fit_into_lambdas_environment" {
  command = plan

  variables {
    register_keeper_arns = [for number in range(60) : "arn:aws:iam::123456789012:role/terraform-${number}"]
  }

  expect_failures = [var.register_keeper_arns]
}

run "one_launcher_is_fewer_than_aws_allows" {
  command = plan

  variables {
    launcher_concurrency = 1
  }

  expect_failures = [var.launcher_concurrency]
}

run "a_retention_is_one_of_cloudwatchs" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "a_record_is_kept_for_a_month_at_least" {
  command = plan

  variables {
    deployed_records_days = 29
  }

  expect_failures = [var.deployed_records_days]
}

run "a_record_is_kept_for_whole_days" {
  command = plan

  variables {
    deployed_records_days = 30.5
  }

  expect_failures = [var.deployed_records_days]
}

run "a_boundary_is_a_policy" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:role/boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "an_alarm_notifies_an_arn" {
  command = plan

  variables {
    alarm_actions = ["on-call@example.org"]
  }

  expect_failures = [var.alarm_actions]
}

run "without_the_shared_topic_every_project_has_its_own" {
  command = plan

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

  variables {
    shared_topic = false
  }

  expect_failures = [var.shared_topic]
}

run "a_publisher_needs_a_topic" {
  command = plan

  variables {
    shared_topic   = false
    publisher_arns = ["arn:aws:iam::210987654321:role/ci"]
    projects       = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true } }
  }

  expect_failures = [var.shared_topic]
}

run "more_own_topics_than_the_queues_policy_can_name_are_not_let_in_by_prefix_unasked" {
  command = plan

  variables {
    projects = { for number in range(500) : "project-${number}" => { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true } }
  }

  expect_failures = [var.projects]
}

run "a_projects_publisher_has_the_projects_topic" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", publisher = { ci = "github", subjects = ["repo:example/shop:ref:refs/heads/main"] } }
    }
  }

  expect_failures = [var.projects]
}

run "a_projects_publisher_of_another_account_has_the_projects_topic" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", publisher_arns = ["arn:aws:iam::210987654321:role/ci"] }
    }
  }

  expect_failures = [var.projects]
}

run "a_projects_publisher_has_no_wildcard" {
  command = plan

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
