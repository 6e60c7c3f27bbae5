# What examples/ has for `projects` passes every rule: all of it in one pipeline, as nobody would have it.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

run "read" {
  module {
    source = "./tests/examples"
  }
}

run "every_entry_of_the_examples_becomes_a_project" {
  command = plan

  variables {
    projects    = run.read.projects
    courier_vpc = run.read.files["gitlab-private-ca/projects.tfvars"].courier_vpc
  }

  assert {
    condition     = keys(output.projects) == keys(run.read.projects) && length(keys(run.read.projects)) >= 12
    error_message = "Each must be there."
  }

  assert {
    condition     = length([for name, project in output.projects : name if strcontains(project.topic_arn, "--${name}")]) == length(keys(run.read.projects))
    error_message = "Each must have a topic of its own: a leaked key of a CI then reaches one project."
  }
}

run "environments_by_accounts_hold_no_right_here" {
  command = plan

  variables {
    projects          = run.read.files["environments/by-accounts.tfvars"].projects
    deploy_roles_only = run.read.files["environments/by-accounts.tfvars"].deploy_roles_only
    shared_topic      = run.read.files["environments/by-accounts.tfvars"].shared_topic
  }

  assert {
    condition     = keys(output.projects) == ["store-production", "store-staging"] && output.topic_arn == null
    error_message = "Both must be there, and no topic on which any project may be named."
  }
}
