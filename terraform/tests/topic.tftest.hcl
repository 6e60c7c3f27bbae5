# The module of a topic, and which topics there are.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"

  # Of modules/topic, here a project's own.
  name                  = "iwomp-in-aws--shop"
  account               = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  queue_arn             = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
  dead_letter_queue_arn = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"
}

run "the_topic_has_a_policy_of_its_own_that_grants_nothing" {
  command = plan

  module {
    source = "./modules/topic"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : statement.Effect == "Deny"])
    error_message = "Without publishers the topic's policy must not allow anybody anything."
  }

  assert {
    condition     = aws_sns_topic_policy.this.arn == aws_sns_topic.this.arn
    error_message = "The policy must be on the triggers' topic, or SNS's default one stays."
  }
}

run "other_accounts_are_kept_out" {
  command = plan

  module {
    source = "./modules/topic"
  }

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy).Statement == [{
      Sid       = "NobodyFromOutside"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["sns:Publish", "sns:Subscribe"]
      Resource  = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
      Condition = { StringNotEquals = { "aws:PrincipalAccount" = ["123456789012"] } }
    }]
    error_message = "Only principals of this account may come near the topic."
  }
}

run "a_named_publisher_of_another_account_may_publish_and_nothing_else" {
  command = plan

  module {
    source = "./modules/topic"
  }

  variables {
    publisher_arns = ["arn:aws:iam::210987654321:role/ci"]
  }

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy).Statement[1] == {
      Sid       = "Publish"
      Effect    = "Allow"
      Principal = { AWS = ["arn:aws:iam::210987654321:role/ci"] }
      Action    = ["sns:Publish"]
      Resource  = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
    }
    error_message = "The named publisher must be allowed sns:Publish on the topic."
  }

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy).Statement[0].Condition.StringNotEquals["aws:PrincipalAccount"] == [
      "123456789012", "210987654321",
    ]
    error_message = "The publisher's account must be let through."
  }
}

run "the_queue_gets_the_envelope" {
  command = plan

  module {
    source = "./modules/topic"
  }

  assert {
    condition     = aws_sns_topic_subscription.triggers.raw_message_delivery == false
    error_message = "The launcher needs message id, topic and time of the envelope."
  }

  assert {
    condition     = aws_sns_topic_subscription.triggers.endpoint == "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
    error_message = "Triggers must go to the queue."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.triggers.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"
    error_message = "What SNS cannot deliver must become a dead letter."
  }
}

run "the_policy_for_ci_allows_publishing_and_nothing_else" {
  command = plan

  assert {
    condition = jsondecode(output.publisher_policy).Statement == [{
      Sid      = "AskForDeployments"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
    }]
    error_message = "A CI identity must get sns:Publish on the one topic."
  }
}

run "shared_topic_and_own_topics_stand_side_by_side" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh" }
      site = {
        git_url        = "https://git.example/site.git"
        command        = "deploy.sh"
        branches       = ["release/*", "main"]
        own_topic      = true
        require_commit = true
        publisher_arns = ["arn:aws:iam::210987654321:role/ci-of-site"]
        publisher = {
          ci         = "gitlab"
          issuer_url = "https://git.corp.example"
          subjects   = ["project_path:example/site:ref_type:branch:ref:main"]
        }
      }
    }
  }

  assert {
    condition     = keys(module.own_topic) == ["site"] && length(module.shared_topic) == 1
    error_message = "Only a project that asks for it gets a topic of its own."
  }

  assert {
    condition = { for name, project in output.projects : name => project.topic_arn } == {
      shop = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
      site = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--site"
    }
    error_message = "Each project must be told where to publish."
  }

  assert {
    condition     = output.publish_command.shop == "aws sns publish --region eu-central-1 --topic-arn arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws --message '{\"branch\":\"main\",\"project\":\"shop\"}'"
    error_message = "Not ready to paste: ${output.publish_command.shop}"
  }

  # A prefix leaves a place for the branch's name, and its own topic names the project.
  assert {
    condition     = output.publish_command.site == "aws sns publish --region eu-central-1 --topic-arn arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--site --message '{\"branch\":\"release/NAME\",\"commit\":\"COMMIT\"}'"
    error_message = "Not ready to paste: ${output.publish_command.site}"
  }

  assert {
    condition = alltrue([
      keys(output.publishers) == ["site"],
      output.publishers.site.topic_arn == "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--site",
      strcontains(output.publishers.site.setup, "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--site.publisher"),
      strcontains(output.publishers.site.setup, "aud: https://git.corp.example"),
    ])
    error_message = "CI must be told its role and the project's topic."
  }
}

run "the_shared_topic_can_be_off" {
  command = plan

  variables {
    shared_topic = false
    projects     = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true } }
  }

  assert {
    condition     = length(module.shared_topic) == 0 && output.topic_arn == null && output.publisher_policy == null
    error_message = "There must be no shared topic, and no policy for it."
  }

  assert {
    condition     = one(one(jsondecode(aws_sqs_queue.triggers.policy).Statement).Condition.ArnEquals["aws:SourceArn"]) == "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop"
    error_message = "Nothing must reach the queue under the name of the topic that is not there."
  }

  assert {
    condition     = module.launcher.topic_arn == "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
    error_message = "The launcher tells a project's topic from others by what stands before the project's name."
  }
}
