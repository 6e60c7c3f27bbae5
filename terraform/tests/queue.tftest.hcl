mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

override_resource {
  target          = aws_sqs_queue.triggers
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers" }
}

override_resource {
  target          = aws_sqs_queue.dead_letters
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead" }
}

run "only_the_topic_may_send_to_either_queue" {
  command = plan

  variables {
    projects = {
      shop  = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true }
      site  = { git_url = "https://git.example/site.git", command = "deploy.sh", own_topic = true }
      older = { git_url = "https://git.example/older.git", command = "deploy.sh" }
    }
  }

  assert {
    condition = jsondecode(aws_sqs_queue.triggers.policy).Statement == [{
      Sid       = "TriggersFromTheTopics"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
      Condition = {
        ArnEquals = {
          "aws:SourceArn" = [
            "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws",
            "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop",
            "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--site",
          ]
        }
      }
    }]
    error_message = "The queue must take messages from the topics that there are, and from no other."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dead_letters.policy).Statement == [{
      Sid       = "UndeliverableFromTheTopics"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"
      Condition = {
        ArnEquals = {
          "aws:SourceArn" = [
            "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws",
            "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop",
            "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--site",
          ]
        }
      }
    }]
    error_message = "The dead-letter queue must take messages from the topics that there are, and from no other."
  }
}

run "by_prefix_the_shared_topic_is_still_not_taken_while_it_is_off" {
  command = plan

  variables {
    own_topics_by_prefix = true
    shared_topic         = false
    projects             = { shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true } }
  }

  assert {
    condition = [
      for policy in [aws_sqs_queue.triggers.policy, aws_sqs_queue.dead_letters.policy] :
      one(jsondecode(policy).Statement).Condition
    ] == [for queue in range(2) : { ArnLike = { "aws:SourceArn" = ["arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--*"] } }]
    error_message = "Whoever could create the shared topic's namesake could trigger every project."
  }
}

run "a_message_on_which_the_launcher_dies_becomes_a_dead_letter" {
  command = plan

  variables {
    retry_seconds    = 30
    max_wait_seconds = 100
  }

  assert {
    condition     = aws_sqs_queue.triggers.visibility_timeout_seconds == 20
    error_message = "The queue's visibility timeout must be longer than the function's timeout."
  }

  assert {
    condition = jsondecode(aws_sqs_queue.triggers.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"
      maxReceiveCount     = 127 # seven tries at 15 seconds or more, and those to spare
    }
    error_message = "SQS must not give a trigger up before the launcher does: ${aws_sqs_queue.triggers.redrive_policy}"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"]
    }
    error_message = "No other queue may use the dead-letter queue."
  }
}

run "half_of_retry_seconds_is_the_delay_that_needs_no_call" {
  command = plan

  variables {
    retry_seconds = 120
  }

  assert {
    condition     = aws_sqs_queue.triggers.visibility_timeout_seconds == 60
    error_message = "Half of retry_seconds must be the queue's visibility timeout."
  }
}

run "nothing_dies_of_old_age_before_it_can_be_seen" {
  command = plan

  assert {
    condition     = aws_sqs_queue.triggers.message_retention_seconds == 1209600 && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Both queues must keep messages for 14 days."
  }
}

run "both_queues_are_encrypted" {
  command = plan

  assert {
    condition     = aws_sqs_queue.triggers.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "Encryption at rest must be on."
  }
}
