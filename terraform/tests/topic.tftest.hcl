mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  image_tag    = "test"
}

run "the_topic_has_a_policy_of_its_own_that_grants_nothing" {
  command = plan

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

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy).Statement == [{
      Sid       = "NobodyFromOutside"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["sns:Publish", "sns:Subscribe"]
      Resource  = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
      Condition = { StringNotEquals = { "aws:PrincipalAccount" = ["123456789012"] } }
    }]
    error_message = "Only principals of this account may come near the topic."
  }
}

run "a_named_publisher_of_another_account_may_publish_and_nothing_else" {
  command = plan

  variables {
    publisher_arns = ["arn:aws:iam::210987654321:role/ci"]
  }

  assert {
    condition = jsondecode(aws_sns_topic_policy.this.policy).Statement[1] == {
      Sid       = "Publish"
      Effect    = "Allow"
      Principal = { AWS = ["arn:aws:iam::210987654321:role/ci"] }
      Action    = ["sns:Publish"]
      Resource  = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
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

run "the_publish_command_is_ready_to_paste" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh" }
      site = { git_url = "https://git.example/site.git", command = "deploy.sh", branches = ["release/*", "main"] }
    }
  }

  assert {
    condition     = output.publish_command.shop == "aws sns publish --topic-arn arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws --message '{\"project\":\"shop\",\"branch\":\"main\"}'"
    error_message = "Not the command of the documentation: ${output.publish_command.shop}"
  }

  assert {
    condition     = endswith(output.publish_command.site, "'{\"project\":\"site\",\"branch\":\"release/NAME\"}'")
    error_message = "A prefix must leave a place for the branch's name: ${output.publish_command.site}"
  }
}

run "the_queue_gets_the_envelope" {
  command = plan

  assert {
    condition     = aws_sns_topic_subscription.triggers.raw_message_delivery == false
    error_message = "The launcher needs message id, topic and time of the envelope."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.triggers.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn
    error_message = "What SNS cannot deliver must become a dead letter."
  }
}
