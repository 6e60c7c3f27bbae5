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
      paused   = "/iwomp-in-aws-paused"
    }
  }
  topic_arn           = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
  retry_seconds       = 120
  visibility_seconds  = 60
  max_wait_seconds    = 43200
  builds_per_hour     = 30
  zip                 = "versions.tf" # any file: nothing is uploaded
  architecture        = "arm64"
  maximum_concurrency = 2
  log_retention_days  = 30

  queue_arn             = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
  queue_url             = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers"
  dead_letter_queue_arn = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"
  dead_letter_queue_url = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers-dead"

  permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
}

run "the_role_has_these_rights_and_no_others" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid => [statement.Effect, flatten([statement.Action]), flatten([try(statement.Resource, [])])]
      } == {
      ReadRegister            = ["Allow", ["ssm:GetParameters"], ["arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/*", "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-paused/*", "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-deployed/*"]]
      StartBuildsAsRegistered = ["Allow", ["codebuild:StartBuild"], ["arn:aws:codebuild:eu-central-1:123456789012:project/iwomp-in-aws--*"]]
      LookForEarlierBuilds    = ["Allow", ["codebuild:ListBuildsForProject", "codebuild:BatchGetBuilds"], ["arn:aws:codebuild:eu-central-1:123456789012:project/iwomp-in-aws--*"]]
      TakeTriggers            = ["Allow", ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], ["arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"]]
      TakeFromNoOtherQueue    = ["Deny", ["sqs:*"], []]
      LayAside                = ["Allow", ["sqs:SendMessage"], ["arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"]]
      WriteLog                = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-central-1:123456789012:log-group:some-group:*"]]
    }
    error_message = "The launcher must read the register, what is paused and what was seen, start and list builds, take triggers, lay them aside and write its log; nothing else."
  }
}

run "the_launcher_takes_from_no_other_queue_whatever_its_policy_says" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.NotResource if statement.Sid == "TakeFromNoOtherQueue" && statement.Effect == "Deny" && !can(statement.Condition)
      ]) == [
      "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers",
      "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead",
    ]
    error_message = "A queue's own policy lets in whom it names: only a denial keeps the launcher off it."
  }
}

run "a_build_can_be_started_only_as_it_is_registered" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  assert {
    condition = alltrue([
      for key in [
        "codebuild:artifacts",
        "codebuild:autoRetryLimit",
        "codebuild:cache",
        "codebuild:encryptionKey",
        "codebuild:environment.certificate",
        "codebuild:environment.computeType",
        "codebuild:environment.fleet.fleetArn",
        "codebuild:environment.image",
        "codebuild:environment.imagePullCredentialsType",
        "codebuild:environment.privilegedMode",
        "codebuild:environment.registryCredential",
        "codebuild:environment.type",
        "codebuild:logsConfig",
        "codebuild:secondaryArtifacts",
        "codebuild:secondarySources",
        "codebuild:serviceRole",
        "codebuild:source.auth.type",
        "codebuild:source.buildStatusConfig.context",
        "codebuild:source.buildStatusConfig.targetUrl",
        "codebuild:source.buildspec",
        "codebuild:source.insecureSsl",
        "codebuild:source.location",
        ] : lookup(one([
          for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement
          if statement.Sid == "StartBuildsAsRegistered"
      ]).Condition.Null, key, "not looked at") == "true"
    ])
    error_message = "No override may be present in StartBuild."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement
      if statement.Sid == "StartBuildsAsRegistered"
    ]).Condition["ForAllValues:StringEquals"] == { "codebuild:environment.environmentVariables.name" = ["PROJECTNAME", "GITBRANCH", "GITCOMMIT", "TRIGGERID", "WAITINGCOMMITS"] }
    error_message = "The launcher may set its five variables and no others, ROLLBACKTO least of all."
  }
}

run "only_lambda_takes_the_role_and_a_boundary_holds_it" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role.this.assume_role_policy).Statement :
      [statement.Effect, statement.Action, statement.Principal]
    ] == [["Allow", "sts:AssumeRole", { Service = "lambda.amazonaws.com" }]]
    error_message = "Nobody but Lambda may assume the launcher's role."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary must be the role's."
  }
}

run "the_function_is_native_and_short" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  assert {
    condition = alltrue([
      aws_lambda_function.this.runtime == "provided.al2023",
      aws_lambda_function.this.architectures == tolist(["arm64"]),
      aws_lambda_function.this.timeout == 15,
      aws_lambda_function.this.source_code_hash == filebase64sha256("versions.tf"),
    ])
    error_message = "Not the function of the design."
  }

  assert {
    condition     = output.sha256 == filesha256("versions.tf")
    error_message = "What was uploaded must be on record, as sha256sum prints it."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      CONFIGPATH         = "iwomp-in-aws"
      TOPICARN           = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws"
      QUEUEARN           = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers"
      QUEUEURL           = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers"
      DEADLETTERQUEUEURL = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers-dead"
      RETRYSECONDS       = "120"
      VISIBILITYSECONDS  = "60"
      MAXWAITSECONDS     = "43200"
      BUILDSPERHOUR      = "30"
    })
    error_message = "The launcher reads these variables and nothing else."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/iwomp-in-aws--launcher" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log must go to the group that has a retention."
  }
}

run "a_busy_project_does_not_send_the_whole_batch_back" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.triggers.function_response_types == toset(["ReportBatchItemFailures"]),
      aws_lambda_event_source_mapping.triggers.batch_size == 10,
      aws_lambda_event_source_mapping.triggers.scaling_config[0].maximum_concurrency == 2,
    ])
    error_message = "The mapping must report failures one by one and be bounded."
  }
}

run "a_missing_zip_is_named" {
  command = plan

  module {
    source = "./modules/launcher"
  }

  variables {
    zip = "no/such/bootstrap.zip"
  }

  expect_failures = [aws_lambda_function.this]
}
