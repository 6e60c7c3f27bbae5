# CI's identity: who is let in, and what it may do.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  topic_arn            = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
  permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
}

run "of_github_one_branch_or_environment_is_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:environment:production", "repo:example@123456/shop@456789:ref:refs/heads/main"]

  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:example/shop:environment:production", "repo:example@123456/shop@456789:ref:refs/heads/main"]
        }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_gitlab_one_branch_is_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci       = "gitlab"
    subjects = ["project_path:example/team/shop:ref_type:branch:ref:main"]

  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/gitlab.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "gitlab.com:aud" = "https://gitlab.com"
          "gitlab.com:sub" = ["project_path:example/team/shop:ref_type:branch:ref:main"]
        }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_a_gitlab_of_ones_own_too" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci         = "gitlab"
    subjects   = ["project_path:example/team/shop:ref_type:branch:ref:main"]
    issuer_url = "https://git.corp.example"
  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/git.corp.example" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "git.corp.example:aud" = "https://git.corp.example"
          "git.corp.example:sub" = ["project_path:example/team/shop:ref_type:branch:ref:main"]
        }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_circleci_one_persons_pushes_to_one_branch_are_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci         = "circleci"
    subjects   = ["org/00000000-0000-4000-8000-000000000001/project/00000000-0000-4000-8000-000000000002/user/00000000-0000-4000-8000-000000000003/vcs-origin/github.com/example/shop/vcs-ref/refs/heads/main"]
    issuer_url = "https://oidc.circleci.com/org/00000000-0000-4000-8000-000000000001"
  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/oidc.circleci.com/org/00000000-0000-4000-8000-000000000001" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "oidc.circleci.com/org/00000000-0000-4000-8000-000000000001:aud" = "00000000-0000-4000-8000-000000000001"
          "oidc.circleci.com/org/00000000-0000-4000-8000-000000000001:sub" = ["org/00000000-0000-4000-8000-000000000001/project/00000000-0000-4000-8000-000000000002/user/00000000-0000-4000-8000-000000000003/vcs-origin/github.com/example/shop/vcs-ref/refs/heads/main"]
        }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_bitbucket_the_steps_of_one_environment_are_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci         = "bitbucket"
    subjects   = ["{00000000-0000-4000-8000-000000000002}:{00000000-0000-4000-8000-000000000003}"]
    issuer_url = "https://api.bitbucket.org/2.0/workspaces/example/pipelines-config/identity/oidc"
    audience   = "ari:cloud:bitbucket::workspace/00000000-0000-4000-8000-000000000001"
  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/api.bitbucket.org/2.0/workspaces/example/pipelines-config/identity/oidc" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = { "api.bitbucket.org/2.0/workspaces/example/pipelines-config/identity/oidc:aud" = "ari:cloud:bitbucket::workspace/00000000-0000-4000-8000-000000000001" }
        StringLike   = { "api.bitbucket.org/2.0/workspaces/example/pipelines-config/identity/oidc:sub" = ["{00000000-0000-4000-8000-000000000002}:{00000000-0000-4000-8000-000000000003}:*"] }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_buildkite_every_commit_of_one_branch_is_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci       = "buildkite"
    subjects = ["organization:example:pipeline:shop:ref:refs/heads/main"]

  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/agent.buildkite.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = { "agent.buildkite.com:aud" = "sts.amazonaws.com" }
        StringLike   = { "agent.buildkite.com:sub" = ["organization:example:pipeline:shop:ref:refs/heads/main:commit:*"] }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_another_ci_one_subject_is_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci         = "custom"
    subjects   = ["job/shop"]
    issuer_url = "https://ci.example/tokens"
    audience   = "aws"
  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement == [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/ci.example/tokens" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "ci.example/tokens:aud" = "aws"
          "ci.example/tokens:sub" = ["job/shop"]
        }
      }
    }]
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "its_only_right_is_to_publish_on_the_topic" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:ref:refs/heads/main"]
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.publish[0].policy).Statement == [{
      Sid      = "AskForDeployments"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
    }]
    error_message = "sns:Publish on the one topic, and nothing else."
  }

  assert {
    condition = alltrue([
      aws_iam_role.this[0].name == "iwomp-in-aws--eu-central-1--shop.publisher",
      aws_iam_role.this[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary",
      aws_iam_role.this[0].max_session_duration == 3600,
      length(aws_iam_user.this) + length(aws_iam_user_policy.publish) == 0,
      length(aws_iam_role_policy.read) + length(aws_iam_user_policy.read) == 0,
    ])
    error_message = "One role, bounded, for an hour at most."
  }

  assert {
    condition     = data.aws_iam_openid_connect_provider.this[0].arn == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    error_message = "The account's provider is looked for, and none is made."
  }

  assert {
    condition = alltrue([
      strcontains(output.setup, "role-to-assume: arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--shop.publisher"),
      strcontains(output.setup, "--region eu-central-1 --topic-arn arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop "),
      strcontains(output.setup, "\"$(printf '{\"branch\":\"%s\",\"commit\":\"%s\"}' \"$BRANCH\" \"$COMMIT\")\""),
      # A branch's name reaches the script as a variable; in its text it could be a command.
      !strcontains(one(regex("run: >-\n(.*)", output.setup)), "github."),
    ])
    error_message = "Not ready to paste: ${output.setup}"
  }
}

run "a_provider_that_is_there_is_taken" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci           = "github"
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com/example"
    subjects     = ["repo:example/shop:ref:refs/heads/main"]
  }

  assert {
    condition     = data.aws_iam_openid_connect_provider.this[0].arn == var.provider_arn && output.provider_arn == var.provider_arn
    error_message = "The provider that is named must be taken."
  }

  assert {
    condition = keys(one(jsondecode(aws_iam_role.this[0].assume_role_policy).Statement).Condition.StringEquals) == [
      "token.actions.githubusercontent.com/example:aud", "token.actions.githubusercontent.com/example:sub",
    ]
    error_message = "The keys must be the provider's."
  }
}

run "a_provider_that_does_not_take_the_audience_is_named_at_plan" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci       = "github"
    audience = "somebody-else"
    subjects = ["repo:example/shop:ref:refs/heads/main"]
  }

  expect_failures = [aws_iam_role.this]
}

run "the_accounts_identity_provider_is_made_apart" {
  command = plan

  module {
    source = "./modules/identity_provider"
  }

  variables {
    issuer_url = "https://token.actions.githubusercontent.com"
  }

  assert {
    condition     = aws_iam_openid_connect_provider.this.url == "https://token.actions.githubusercontent.com" && aws_iam_openid_connect_provider.this.client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The account must know the issuer, for this one audience."
  }
}

run "a_ci_without_tokens_gets_a_user_and_no_key" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci = "user"
  }

  assert {
    condition = alltrue([
      aws_iam_user.this[0].name == "iwomp-in-aws--eu-central-1--shop.publisher",
      aws_iam_user.this[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary",
      length(aws_iam_role.this) + length(aws_iam_role_policy.publish) + length(data.aws_iam_openid_connect_provider.this) == 0,
    ])
    error_message = "One user, bounded."
  }

  assert {
    condition = jsondecode(aws_iam_user_policy.publish[0].policy).Statement == [{
      Sid      = "AskForDeployments"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
    }]
    error_message = "sns:Publish on the one topic, and nothing else."
  }

  assert {
    condition     = strcontains(output.setup, "aws iam create-access-key --user-name iwomp-in-aws--eu-central-1--shop.publisher")
    error_message = "How to make the key must be told, for Terraform makes none."
  }
}

run "if_asked_it_sees_its_projects_builds" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:ref:refs/heads/main"]
    read     = "status"
  }

  assert {
    condition     = keys(aws_iam_role_policy.read) == ["read-status"] && length(aws_iam_user_policy.read) == 0
    error_message = "The proof of the boundary goes by the policy's name."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.read["read-status"].policy).Statement == [{
      Sid      = "SeeOwnBuilds"
      Effect   = "Allow"
      Action   = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"]
      Resource = "arn:aws:codebuild:eu-central-1:123456789012:project/iwomp-in-aws--shop"
    }]
    error_message = "The one project's builds, and nothing else."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.publish[0].policy).Statement) == 1
    error_message = "The right to publish is as it was."
  }
}

run "if_asked_it_sees_their_log_too" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci   = "user"
    read = "log"
  }

  assert {
    condition     = keys(aws_iam_user_policy.read) == ["read-log"] && length(aws_iam_role_policy.read) == 0
    error_message = "The proof of the boundary goes by the policy's name."
  }

  assert {
    condition = jsondecode(aws_iam_user_policy.read["read-log"].policy).Statement == [
      {
        Sid      = "SeeOwnBuilds"
        Effect   = "Allow"
        Action   = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"]
        Resource = "arn:aws:codebuild:eu-central-1:123456789012:project/iwomp-in-aws--shop"
      },
      {
        Sid      = "SeeOwnLogs"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/codebuild/iwomp-in-aws--shop:log-stream:*"
      },
    ]
    error_message = "The one project's builds and what they print, and nothing else."
  }
}

run "what_it_sees_is_status_or_log" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci   = "user"
    read = "everything"
  }

  expect_failures = [var.read]
}

run "on_the_shared_topic_it_sees_nothing" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci        = "user"
    read      = "status"
    topic_arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
  }

  expect_failures = [var.read]
}

run "a_long_name_is_cut_and_hashed" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci        = "user"
    topic_arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01"
  }

  assert {
    condition     = length(aws_iam_user.this[0].name) == 64 && endswith(aws_iam_user.this[0].name, substr(sha256("iwomp-in-aws--eu-central-1--a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01.publisher"), 0, 8))
    error_message = "IAM takes 64 characters, and two long names must not become one: ${aws_iam_user.this[0].name}"
  }
}

# --- what is refused ---

run "a_topic_is_one" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci        = "user"
    topic_arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--*"
  }

  expect_failures = [var.topic_arn]
}

run "a_ci_is_one_of_these" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci = "jenkins"
  }

  expect_failures = [var.ci]
}

run "a_subject_is_not_every_branch" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:ref:refs/heads/*"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_is_not_every_repository" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/*:ref:refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_has_no_single_wildcard" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/sho?:ref:refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_has_no_policy_variable" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "custom"
    issuer_url = "https://ci.example"
    audience   = "aws"
    subjects   = ["job/$${aws}"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_is_one_line" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:ref:refs/heads/main\n"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_is_no_pull_request" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:pull_request"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_is_no_tag" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:ref:refs/tags/v1"]
  }

  expect_failures = [var.subjects]
}

run "a_subject_names_branch_or_environment" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop"]
  }

  expect_failures = [var.subjects]
}

run "somebody_is_let_in" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci = "github"
  }

  expect_failures = [var.subjects]
}

run "one_exact_subject_does_not_excuse_another" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    subjects = ["repo:example/shop:ref:refs/heads/main", "repo:example/shop:*"]
  }

  expect_failures = [var.subjects]
}

run "of_gitlab_no_tag_is_let_in" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "gitlab"
    subjects = ["project_path:example/shop:ref_type:tag:ref:v1"]
  }

  expect_failures = [var.subjects]
}

run "of_circleci_the_branch_must_be_named" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "circleci"
    issuer_url = "https://oidc.circleci.com/org/00000000-0000-4000-8000-000000000001"
    subjects   = ["org/00000000-0000-4000-8000-000000000001/project/00000000-0000-4000-8000-000000000002/user/00000000-0000-4000-8000-000000000003"]
  }

  expect_failures = [var.subjects]
}

run "of_circleci_the_issuer_is_the_subjects_organisation" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "circleci"
    issuer_url = "https://oidc.circleci.com/org/00000000-0000-4000-8000-000000000009"
    subjects   = ["org/00000000-0000-4000-8000-000000000001/project/00000000-0000-4000-8000-000000000002/user/00000000-0000-4000-8000-000000000003/vcs-origin/github.com/example/shop/vcs-ref/refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "of_circleci_the_issuer_is_an_organisation" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "circleci"
    issuer_url = "https://oidc.circleci.com.evil.example/org"
    subjects   = ["org/00000000-0000-4000-8000-000000000001/project/00000000-0000-4000-8000-000000000002/user/00000000-0000-4000-8000-000000000003/vcs-origin/github.com/example/shop/vcs-ref/refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "of_bitbucket_a_step_without_environment_is_not_let_in" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "bitbucket"
    issuer_url = "https://api.bitbucket.org/2.0/workspaces/example/pipelines-config/identity/oidc"
    audience   = "ari:cloud:bitbucket::workspace/00000000-0000-4000-8000-000000000001"
    subjects   = ["{00000000-0000-4000-8000-000000000002}"]
  }

  expect_failures = [var.subjects]
}

run "of_bitbucket_the_issuer_is_a_workspace" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "bitbucket"
    issuer_url = "https://evil.example/2.0/workspaces/example/pipelines-config/identity/oidc"
    audience   = "ari:cloud:bitbucket::workspace/00000000-0000-4000-8000-000000000001"
    subjects   = ["{00000000-0000-4000-8000-000000000002}:{00000000-0000-4000-8000-000000000003}"]
  }

  expect_failures = [var.subjects]
}

run "of_buildkite_the_branch_must_be_named" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "buildkite"
    subjects = ["organization:example:pipeline:shop"]
  }

  expect_failures = [var.subjects]
}

run "of_buildkite_there_is_one_issuer" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "buildkite"
    issuer_url = "https://agent.example"
    subjects   = ["organization:example:pipeline:shop:ref:refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "of_azure_pipelines_one_service_connection_is_let_in" {
  command = plan

  module {
    source = "./modules/publisher"
  }

  variables {
    ci         = "custom"
    issuer_url = "https://vstoken.dev.azure.com/00000000-0000-4000-8000-000000000001"
    audience   = "api://AzureADTokenExchange"
    subjects   = ["sc://example/shop/iwomp"]
  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "vstoken.dev.azure.com/00000000-0000-4000-8000-000000000001:aud" = "api://AzureADTokenExchange"
        "vstoken.dev.azure.com/00000000-0000-4000-8000-000000000001:sub" = ["sc://example/shop/iwomp"]
      }
    }
    error_message = "Not exactly these jobs: ${aws_iam_role.this[0].assume_role_policy}"
  }
}

run "of_another_ci_a_subject_has_no_wildcard" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "custom"
    issuer_url = "https://ci.example"
    audience   = "aws"
    subjects   = ["job/*"]
  }

  expect_failures = [var.subjects]
}

run "a_user_has_no_subjects" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "user"
    subjects = ["repo:example/shop:ref:refs/heads/main"]
  }

  expect_failures = [var.subjects]
}

run "an_issuer_is_https" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "gitlab"
    issuer_url = "http://git.corp.example"
    subjects   = ["project_path:example/shop:ref_type:branch:ref:main"]
  }

  expect_failures = [var.issuer_url]
}

run "an_issuer_has_no_wildcard" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "gitlab"
    issuer_url = "https://*.example"
    subjects   = ["project_path:example/shop:ref_type:branch:ref:main"]
  }

  expect_failures = [var.issuer_url]
}

run "an_issuer_has_no_port" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "gitlab"
    issuer_url = "https://git.corp.example:8443"
    subjects   = ["project_path:example/shop:ref_type:branch:ref:main"]
  }

  expect_failures = [var.issuer_url]
}

run "an_issuer_has_no_query" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "gitlab"
    issuer_url = "https://git.corp.example/?a=b"
    subjects   = ["project_path:example/shop:ref_type:branch:ref:main"]
  }

  expect_failures = [var.issuer_url]
}

run "an_issuer_is_one_line" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "gitlab"
    issuer_url = "https://git.corp.example\n"
    subjects   = ["project_path:example/shop:ref_type:branch:ref:main"]
  }

  expect_failures = [var.issuer_url]
}

run "a_provider_is_one" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci           = "github"
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/*"
    subjects     = ["repo:example/shop:ref:refs/heads/main"]
  }

  expect_failures = [var.provider_arn]
}

run "an_issuer_is_named_once" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci           = "github"
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    issuer_url   = "https://token.actions.githubusercontent.com"
    subjects     = ["repo:example/shop:ref:refs/heads/main"]
  }

  expect_failures = [var.provider_arn]
}

run "of_another_ci_the_issuer_must_be_named" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "custom"
    audience = "aws"
    subjects = ["job/shop"]
  }

  expect_failures = [var.provider_arn]
}

run "of_another_ci_the_audience_must_be_named" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci         = "custom"
    issuer_url = "https://ci.example"
    subjects   = ["job/shop"]
  }

  expect_failures = [var.audience]
}

run "an_audience_has_no_wildcard" {
  command = plan

  module {
    source = "./tests/inputs/publisher"
  }

  variables {
    ci       = "github"
    audience = "*"
    subjects = ["repo:example/shop:ref:refs/heads/main"]
  }

  expect_failures = [var.audience]
}
