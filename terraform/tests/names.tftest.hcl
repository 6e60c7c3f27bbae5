# Two pipelines in one account: in two regions, or with names of which one begins as the other.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  image_tag    = "4f1d2c"
  launcher_zip = "tests/launcher.tftest.hcl"
  notifier_zip = "tests/launcher.tftest.hcl"
  projects = {
    "staging--shop" = { git_url = "https://github.com/example/shop.git", command = "deploy.sh", own_topic = true }
  }
}

run "what_has_no_region_is_called_by_it" {
  command = plan

  assert {
    condition     = aws_iam_role.scheduler.name == "iwomp-in-aws--eu-central-1--scheduler"
    error_message = "In another region a pipeline of this name could not be made: ${aws_iam_role.scheduler.name}"
  }

  assert {
    condition     = alltrue([for name in [local.names.prefix, local.names.iam_prefix] : endswith(name, "--") && startswith(name, "iwomp-in-aws--")])
    error_message = "A policy's <prefix>* must end behind the config path."
  }
}

run "the_key_opens_for_the_roles_of_this_pipeline_in_this_region" {
  command = plan

  assert {
    condition     = strcontains(aws_kms_key.this.policy, "\"arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--*\"")
    error_message = "Roles of iwomp-in-aws-staging, or of another region, would be let in."
  }
}

run "a_topic_of_one_is_not_the_topic_of_another" {
  command = plan

  assert {
    condition     = local.own_topic_arns == { "staging--shop" = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--staging--shop" }
    error_message = "The pipeline iwomp-in-aws-staging has a shared topic of its own, and its projects theirs."
  }
}
