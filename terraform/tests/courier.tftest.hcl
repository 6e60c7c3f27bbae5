mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account     = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  config_path = "iwomp-in-aws"
  names = {
    prefix     = "iwomp-in-aws--"
    iam_prefix = "iwomp-in-aws--eu-central-1--"
    parameters = { register = "/iwomp-in-aws", notify = "/iwomp-in-aws-notify" }
  }
  reports_topic_arn    = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"
  key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  zip                  = "versions.tf" # any file: nothing is uploaded
  architecture         = "arm64"
  log_retention_days   = 30
  permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
}

run "the_role_has_these_rights_and_no_others" {
  command = plan

  module {
    source = "./modules/courier"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid => [statement.Effect, flatten([statement.Action]), statement.Resource]
      } == {
      ReadRegister            = ["Allow", ["ssm:GetParameters"], "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/*"]
      ReadSecretsOfTargets    = ["Allow", ["ssm:GetParameter"], "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-notify/*/*"]
      DecryptSecretsOfTargets = ["Allow", ["kms:Decrypt"], "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]
      TakeDeliveries = ["Allow",
        ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"],
        "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--deliveries.fifo",
      ]
      LayAside = ["Allow", ["sqs:SendMessage"], aws_sqs_queue.dead.arn]
      Report   = ["Allow", ["sns:Publish"], "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"]
      WriteLog = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], "${aws_cloudwatch_log_group.this.arn}:*"]
    }
    error_message = "The courier must read entries and targets' secrets, take and lay aside deliveries, report and log; nothing else."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Condition if statement.Sid == "DecryptSecretsOfTargets"
    ] == [{ StringLike = { "kms:EncryptionContext:PARAMETER_ARN" = "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-notify/*/*" } }]
    error_message = "Git credentials have the same key, and are not the courier's."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary must be the role's."
  }
}

run "news_keep_their_order_and_what_cannot_be_delivered_is_kept" {
  command = plan

  module {
    source = "./modules/courier"
  }

  assert {
    condition = alltrue([
      aws_sqs_queue.deliveries.fifo_queue,
      aws_sqs_queue.deliveries.name == "iwomp-in-aws--deliveries.fifo",
      aws_sqs_queue.dead.fifo_queue, # SQS takes no other for a FIFO queue
      aws_sqs_queue.deliveries.visibility_timeout_seconds >= 3 * aws_lambda_function.this.timeout,
      aws_lambda_event_source_mapping.deliveries.batch_size == 1,
      aws_lambda_function.this.environment[0].variables["FUNCTION"] == "courier",
    ])
    error_message = "Not the queues of the design."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["CONSOLEURL"] == "https://eu-central-1.console.aws.amazon.com/codesuite/codebuild/123456789012/projects"
    error_message = "Links must lead to the console of this account's region."
  }

  assert {
    condition = [for statement in jsondecode(aws_sqs_queue.deliveries.policy).Statement : [statement.Effect, statement.Action, statement.Condition]] == [
      ["Deny", "sqs:SendMessage", { ArnNotEquals = { "aws:PrincipalArn" = [for name in ["notifier", "courier"] : "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--${name}"] } }],
    ]
    error_message = "Whoever lays something into this queue speaks on the reports' topic."
  }
}

run "a_network_and_an_event_bus_are_rights_more" {
  command = plan

  module {
    source = "./modules/courier"
  }

  variables {
    event_bus_arn = "arn:aws:events:eu-central-1:123456789012:event-bus/deployments"

    vpc = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["sg-0123456789abcdef0"] }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-0123456789abcdef0"]) && strcontains(aws_iam_role_policy.this.policy, "ec2:CreateNetworkInterface")
    error_message = "Lambda makes the interfaces with the function's role."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : [statement.Action, statement.Resource, statement.Condition] if statement.Sid == "PutEvents"
    ] == [["events:PutEvents", "arn:aws:events:eu-central-1:123456789012:event-bus/deployments", { StringEquals = { "events:source" = "iwomp" } }]]
    error_message = "On that bus it may speak as iwomp alone."
  }
}
