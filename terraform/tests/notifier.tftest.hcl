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
    parameters = {
      register = "/iwomp-in-aws"
      deployed = "/iwomp-in-aws-deployed"
      reported = "/iwomp-in-aws-reported"
    }
  }
  zip                  = "versions.tf" # any file: nothing is uploaded
  architecture         = "arm64"
  log_retention_days   = 30
  register_keeper_arns = ["arn:aws:iam::123456789012:user/ops", "arn:aws:iam::123456789012:role/terraform"]

  deliveries_queue_arn  = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--deliveries.fifo"
  deliveries_queue_url  = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--deliveries.fifo"
  launcher_log_group    = "/aws/lambda/iwomp-in-aws--launcher"
  deployed_records_days = 400

  queue_arn             = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
  queue_url             = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers"
  dead_letter_queue_arn = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"
  dead_letter_queue_url = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers-dead"

  permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
}

run "the_notifier_looks_and_reports_and_does_nothing_else" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid => [statement.Effect, flatten([statement.Action]), flatten([statement.Resource])]
      } == {
      LookAtBuilds = ["Allow", ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"], ["arn:aws:codebuild:eu-central-1:123456789012:project/iwomp-in-aws--*"]]
      ListRegister = ["Allow", ["ssm:GetParametersByPath"], [
        "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/",
      ]]
      LookAtWhatIsLive = ["Allow", ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParametersByPath"], [
        "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-deployed/*",
      ]]
      RemoveOldRecords        = ["Allow", ["ssm:DeleteParameter"], ["arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-deployed/*/*"]]
      RememberWhatWasReported = ["Allow", ["ssm:GetParameter", "ssm:PutParameter"], ["arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-reported/*"]]
      CountWhatWaits = ["Allow", ["sqs:GetQueueAttributes"], [
        "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers",
        "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead",
      ]]
      Report       = ["Allow", ["sns:Publish"], ["arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"]]
      HandNewsOver = ["Allow", ["sqs:SendMessage"], ["arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--deliveries.fifo"]]
      WriteLog     = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-central-1:123456789012:log-group:some-group:*"]]
    }
    error_message = "The notifier must read builds, names and history, write its marks, remove old records, report, hand news over and log; nothing else."
  }
}

run "where_no_record_is_ever_removed_the_notifier_cannot" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  variables {
    deployed_records_days = 0
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "Delete")
    error_message = "A right that nothing uses."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["DEPLOYEDRECORDSDAYS"] == "0"
    error_message = "The notifier must know that it removes nothing."
  }
}

run "only_lambda_takes_the_notifiers_role_and_a_boundary_holds_it" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role.this.assume_role_policy).Statement :
      [statement.Effect, statement.Action, statement.Principal]
    ] == [["Allow", "sts:AssumeRole", { Service = "lambda.amazonaws.com" }]]
    error_message = "Nobody but Lambda may assume the notifier's role."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary must be the role's."
  }
}

run "the_notifier_is_native_and_has_time_for_a_sweep" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = alltrue([
      aws_lambda_function.this.runtime == "provided.al2023",
      aws_lambda_function.this.architectures == tolist(["arm64"]),
      aws_lambda_function.this.timeout == 240,
      aws_lambda_function.this.source_code_hash == filebase64sha256("versions.tf"),
      output.sha256 == filesha256("versions.tf"),
    ])
    error_message = "Not the function of the design."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      CONFIGPATH          = "iwomp-in-aws"
      DEPLOYEDRECORDSDAYS = "400"
      REPORTSTOPICARN     = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"
      QUEUEURL            = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers"
      DEADLETTERQUEUEURL  = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers-dead"
      DELIVERIESQUEUEURL  = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--deliveries.fifo"
      REGISTERKEEPERS     = "arn:aws:iam::123456789012:role/terraform,arn:aws:iam::123456789012:user/ops"
    })
    error_message = "The notifier reads these variables and nothing else."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/iwomp-in-aws--notifier" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log must go to the group that has a retention."
  }
}

run "every_end_of_the_pipelines_builds_wakes_it" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this["build-changed"].event_pattern) == {
      source      = ["aws.codebuild"]
      detail-type = ["CodeBuild Build State Change"]
      detail = {
        build-status = ["IN_PROGRESS", "FAILED", "FAULT", "STOPPED", "SUCCEEDED", "TIMED_OUT"]
        project-name = [{ prefix = "iwomp-in-aws--" }]
      }
    }
    error_message = "Not the events of the design."
  }
}

run "every_change_of_the_register_wakes_it_and_its_own_marks_do_not" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this["register-changed"].event_pattern) == {
      source      = ["aws.ssm"]
      detail-type = ["AWS API Call via CloudTrail"]
      detail = {
        eventSource = ["ssm.amazonaws.com"]
        eventName   = ["DeleteParameter", "DeleteParameters", "PutParameter"]
        errorCode   = [{ exists = false }]
        "$or" = [
          { requestParameters = { name = [{ wildcard = "*iwomp-in-aws/*" }] } },
          { requestParameters = { names = [{ wildcard = "*iwomp-in-aws/*" }] } },
        ]
      }
    }
    error_message = "Not the events of the design."
  }
}

run "only_these_two_rules_may_call_the_function" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = {
      for name, permission in aws_lambda_permission.events : name => [permission.action, permission.principal, permission.source_arn]
      } == {
      build-changed    = ["lambda:InvokeFunction", "events.amazonaws.com", "arn:aws:events:eu-central-1:123456789012:rule/iwomp-in-aws--build-changed"]
      register-changed = ["lambda:InvokeFunction", "events.amazonaws.com", "arn:aws:events:eu-central-1:123456789012:rule/iwomp-in-aws--register-changed"]
    }
    error_message = "Another rule could call the notifier."
  }
}

run "nobody_else_can_make_a_report" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  assert {
    condition = jsondecode(aws_sns_topic_policy.reports.policy).Statement == [
      {
        Sid       = "OnlyNotifierAndCourierReport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = [for name in ["notifier", "courier"] : "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--${name}"] } }
      },
      {
        Sid       = "NobodyFromOutside"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Subscribe"
        Resource  = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports"
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = ["123456789012"] } }
      },
    ]
    error_message = "A report must be the notifier's or the courier's, and stay in the account unless somebody here subscribes."
  }

  assert {
    condition     = aws_sns_topic.reports.name == "iwomp-in-aws--reports" && aws_iam_role.this.name == "iwomp-in-aws--eu-central-1--notifier"
    error_message = "The policy names topic and role by text; these must be their names."
  }
}

run "the_notifiers_missing_zip_is_named" {
  command = plan

  module {
    source = "./modules/notifier"
  }

  variables {
    zip = "no/such/bootstrap.zip"
  }

  expect_failures = [aws_lambda_function.this]
}
