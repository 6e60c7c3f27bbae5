# The GitHub App: what is made where there is one, and that nothing is where there is none.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  broker_zip   = "versions.tf"
  image_tag    = "test"

  # Of modules/project and modules/courier, which some runs plan alone.
  name        = "shop"
  account     = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  config_path = "iwomp-in-aws"
  names = {
    prefix     = "iwomp-in-aws--"
    iam_prefix = "iwomp-in-aws--eu-central-1--"
    parameters = {
      register    = "/iwomp-in-aws"
      credentials = "/iwomp-in-aws-credentials"
      deployed    = "/iwomp-in-aws-deployed"
      notify      = "/iwomp-in-aws-notify"
      paused      = "/iwomp-in-aws-paused"
      reported    = "/iwomp-in-aws-reported"
      default     = "/iwomp-in-aws/_default"
    }
  }
  git_url            = "https://github.com/acme/shop.git"
  command            = "deploy.sh"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
  repository_arn     = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
  key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  key_alias          = "alias/iwomp-in-aws"
  broker_function    = "iwomp-in-aws--broker"
  app_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
  zip                = "versions.tf"
  architecture       = "x86_64"
  log_retention_days = 30
}

run "without_an_app_nothing_is_made_for_one" {
  command = plan

  variables {
    projects = { shop = { git_url = "https://github.com/acme/shop.git", command = "deploy.sh" } }
  }

  assert {
    condition     = length(module.broker) == 0 && output.broker_sha256 == null && !can(jsondecode(aws_ssm_parameter.description.insecure_value).broker)
    error_message = "It is off unless asked for."
  }
}

run "with_an_app_there_is_a_broker_and_the_description_says_so" {
  command = plan

  variables {
    github_app = { app_id = "123456", key = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555" }
    projects = {
      shop = { git_url = "https://github.com/acme/shop.git", command = "deploy.sh", github_app = true }
    }
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.description.insecure_value).broker.key_arn == "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
    error_message = "verify-boundary has to find the key."
  }
}

run "a_project_needs_the_pipelines_app" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { shop = { git_url = "https://github.com/acme/shop.git", command = "deploy.sh", github_app = true } }
  }

  expect_failures = [var.github_app]
}

run "the_private_key_itself_is_no_value_of_terraforms" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    github_app = { app_id = "123456", key = "-----BEGIN RSA PRIVATE KEY-----" }
  }

  expect_failures = [var.github_app]
}

run "an_app_has_an_id_and_an_api_a_url" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    github_app = {
      app_id  = "my app"
      key     = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
      api_url = "http://git.acme.example/api/v3"
    }
  }

  expect_failures = [var.github_app]
}

run "the_broker_has_these_rights_and_no_others" {
  command = plan

  module {
    source = "./modules/broker"
  }

  variables {
    github_app = {
      app_id    = "Iv23abc"
      key       = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
      api_url   = "https://git.acme.example/api/v3"
      ca_bundle = null
    }
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid => [statement.Effect, flatten([statement.Action]), statement.Resource]
      } == {
      ReadRegister  = ["Allow", ["ssm:GetParameters"], "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/*"]
      SignForTheApp = ["Allow", ["kms:Sign"], "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"]
      WriteLog      = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], "${aws_cloudwatch_log_group.this.arn}:*"]
    }
    error_message = "The broker must read entries, sign and log; nothing else."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      CONFIGPATH = "iwomp-in-aws"
      APPID      = "Iv23abc"
      APPKEYARN  = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
      APIURL     = "https://git.acme.example/api/v3"
    })
    error_message = "What is not set must not be there."
  }
}

run "the_courier_calls_the_aliases_that_are_for_it" {
  command = plan

  module {
    source = "./modules/courier"
  }

  variables {
    reports_topic_arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"
    broker_arn        = "arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : [statement.Action, statement.Resource] if statement.Sid == "AskTheBroker"
    ] == [["lambda:InvokeFunction", "arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker:notify-*"]]
    error_message = "What a build fetches with is none of the courier's business."
  }
}

run "a_project_that_uses_the_app_calls_its_own_alias_and_no_other" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    github_app = true
    notify     = [{ to = "github" }]
  }

  assert {
    condition     = { for key, alias in aws_lambda_alias.broker : key => [alias.name, alias.function_name] } == { fetch = ["fetch-shop", "iwomp-in-aws--broker"], notify = ["notify-shop", "iwomp-in-aws--broker"] }
    error_message = "An alias for each purpose: ${join(", ", keys(aws_lambda_alias.broker))}"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : [statement.Action, statement.Resource] if strcontains(jsonencode(statement.Action), "lambda:")
    ] == [["lambda:InvokeFunction", "arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker:fetch-shop"]]
    error_message = "Its own alias, and that to fetch."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement :
      statement.Sid => [statement.Effect, try(statement.NotAction, statement.Action), statement.Resource]
      if contains(["LeaveFunctionsAlone", "CallTheBrokerToFetchOnly", "LeaveAppKeyAlone"], statement.Sid)
      } == {
      LeaveFunctionsAlone = ["Deny", "lambda:InvokeFunction", "arn:aws:lambda:*:*:function:iwomp-in-aws--*"]
      CallTheBrokerToFetchOnly = ["Deny", "lambda:InvokeFunction", [
        for name in ["launcher*", "notifier*", "courier*", "broker", "broker:$LATEST", "broker:notify-*"] : "arn:aws:lambda:*:*:function:iwomp-in-aws--${name}"
      ]]
      LeaveAppKeyAlone = ["Deny", "kms:*", "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"]
    }
    error_message = "A broad policy must not reach the other functions, nor the key: ${aws_iam_role_policy.fence.policy}"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_policy.boundary.policy).Statement : statement.Resource if try(statement.Effect == "Allow" && statement.Action == "lambda:InvokeFunction", false)
    ] == ["arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker:fetch-shop"]
    error_message = "The boundary alone tells the own alias from others."
  }

  assert {
    condition = alltrue([
      for thing in ["arn:aws:lambda:*:*:function:iwomp-in-aws--*", "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"] :
      contains(jsondecode(aws_iam_policy.boundary.policy).Statement[0].NotResource, thing)
    ])
    error_message = "The functions and the App's key are the pipeline's."
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).githubApp
    error_message = "Worker and broker go by the entry."
  }
}

run "a_project_that_does_not_has_no_alias_and_reaches_no_function" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "github" }]
  }

  assert {
    condition     = length(aws_lambda_alias.broker) == 0 && !strcontains(aws_iam_role_policy.worker.policy, "lambda:")
    error_message = "It is off unless asked for."
  }

  assert {
    condition = length([
      for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement : statement
      if statement.Effect == "Deny" && contains(flatten([try(statement.Action, [])]), "lambda:*") && contains(flatten([try(statement.Resource, [])]), "arn:aws:lambda:*:*:function:iwomp-in-aws--*")
    ]) == 1 && strcontains(aws_iam_role_policy.fence.policy, "LeaveAppKeyAlone")
    error_message = "It must be kept off every function, and off the App's key."
  }
}

run "whom_an_entry_tells_may_stand_elsewhere_so_both_aliases_are_made" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    github_app = true
  }

  assert {
    condition     = keys(aws_lambda_alias.broker) == ["fetch", "notify"]
    error_message = "In _default, or in an entry that Terraform does not write: ${join(", ", keys(aws_lambda_alias.broker))}"
  }
}

run "the_app_is_of_no_use_over_ssh" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    git_url    = "git@github.com:acme/shop.git"
    github_app = true
  }

  expect_failures = [var.github_app]
}

run "there_is_one_credential" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    github_app          = true
    credentials_version = 1
    credentials         = "{\"authToken\":\"canary\"}"
  }

  expect_failures = [var.github_app]
}
