mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
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
  git_url        = "https://git.example/shop.git"
  command        = "deploy.sh"
  image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
  repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"
  key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  key_alias      = "alias/iwomp-in-aws"
}

# --- the register entry ---

run "the_shortest_entry_has_the_two_required_keys_only" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value) == { gitUrl = "https://git.example/shop.git", command = "deploy.sh" }
    error_message = "What is not set must not be there: ${nonsensitive(aws_ssm_parameter.register[0].insecure_value)}"
  }

  assert {
    condition     = aws_ssm_parameter.register[0].name == "/iwomp-in-aws/shop" && aws_ssm_parameter.register[0].type == "String"
    error_message = "The entry must be where the launcher looks, and readable without decryption."
  }
}

run "a_target_has_the_fields_that_were_given" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "github", environment = "pre production" }, { to = "slack", name = "on-call", on = ["failed", "timedOut"], private = true }]
  }

  assert {
    condition = jsondecode(aws_ssm_parameter.register[0].insecure_value).notify == [
      { to = "github", environment = "pre production" }, { to = "slack", name = "on-call", on = ["failed", "timedOut"], private = true }
    ]
    error_message = "The contract refuses null: ${nonsensitive(aws_ssm_parameter.register[0].insecure_value)}"
  }
}

run "every_field_has_its_key_of_the_contract" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url        = "git@git.example:org/shop.git"
    command        = null
    command_vector = ["make", "deploy"]
    deploy_dir     = "infra/prod"
    branches       = ["main", "release/*"]
    auth_scheme    = "bearer"
    ca_bundle      = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    require_commit = true
    first_parent   = false
    pinned         = "head"

    submodules          = "fetch"
    lfs                 = "ignore"
    sparse              = false
    tags                = true
    accepted_git_faults = ["badTimezone"]
    git_access          = true

    allowed_signers = "dev@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
    deploy_role_arn = "arn:aws:iam::210987654321:role/deploy/shop"
    unchanged       = "skip"
  }

  assert {
    condition = jsondecode(aws_ssm_parameter.register[0].insecure_value) == {
      gitUrl     = "git@git.example:org/shop.git"
      command    = ["make", "deploy"]
      deployDir  = "infra/prod"
      branches   = ["main", "release/*"]
      authScheme = "bearer"
      caBundle   = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

      requireCommit = true
      firstParent   = false
      pinned        = "head"

      submodules        = "fetch"
      lfs               = "ignore"
      sparse            = false
      tags              = true
      acceptedGitFaults = ["badTimezone"]
      gitAccess         = true

      allowedSigners = "dev@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
      deployRoleArn  = "arn:aws:iam::210987654321:role/deploy/shop"
      unchanged      = "skip"
    }
    error_message = "Not the contract's keys: ${nonsensitive(aws_ssm_parameter.register[0].insecure_value)}"
  }
}

run "an_external_register_is_left_alone" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url           = null
    command           = null
    external_register = true
  }

  assert {
    condition     = length(aws_ssm_parameter.register) == 0
    error_message = "The entry belongs to somebody else."
  }

  assert {
    condition     = output.register_parameter == "/iwomp-in-aws/shop"
    error_message = "Its name must be told all the same."
  }
}

# --- credentials ---

run "credentials_are_not_managed_unless_asked_for" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = length(aws_ssm_parameter.credentials) == 0
    error_message = "Without a credentials_version the parameter is `iwomp secret set`'s."
  }
}

run "credentials_are_encrypted_with_the_pipelines_key_and_not_kept" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    credentials_version = 3
    credentials         = "{\"authToken\":\"canary\"}"
  }

  assert {
    condition = alltrue([
      aws_ssm_parameter.credentials[0].name == "/iwomp-in-aws-credentials/shop",
      aws_ssm_parameter.credentials[0].type == "SecureString",
      aws_ssm_parameter.credentials[0].key_id == "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
      aws_ssm_parameter.credentials[0].value_wo_version == 3,
    ])
    error_message = "Credentials must be a SecureString under the pipeline's own key."
  }

  assert {
    condition     = aws_ssm_parameter.credentials[0].value_wo == null
    error_message = "A write-only value must not be readable afterwards."
  }
}

run "each_version_of_credentials_names_the_key_anew" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    credentials_version = 4
    credentials         = "{\"authToken\":\"canary\"}"
  }

  assert {
    condition     = aws_ssm_parameter.credentials[0].key_id == "alias/iwomp-in-aws"
    error_message = "An unchanged key_id is not sent, and SSM would take its default key."
  }
}

# --- the build ---

run "one_build_at_a_time" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = aws_codebuild_project.this.concurrent_build_limit == 1
    error_message = "The limit of one is the lock of a deployment."
  }
}

run "a_build_takes_its_steps_from_here_and_nothing_from_the_repository" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = aws_codebuild_project.this.source[0].type == "NO_SOURCE" && aws_codebuild_project.this.artifacts[0].type == "NO_ARTIFACTS"
    error_message = "CodeBuild must fetch nothing and keep nothing."
  }

  assert {
    condition = yamldecode(aws_codebuild_project.this.source[0].buildspec) == {
      version = 0.2
      phases  = { build = { commands = ["iwomp-worker"] } }
    }
    error_message = "The build must be the worker, as root: it runs the command as another user."
  }
}

run "with_privilege_a_docker_daemon_is_there_before_the_worker" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    privileged = true
  }

  assert {
    condition = alltrue([
      aws_codebuild_project.this.environment[0].privileged_mode,
      startswith(yamldecode(aws_codebuild_project.this.source[0].buildspec).phases.build.commands[0], "nohup dockerd --group deployer "),
      reverse(yamldecode(aws_codebuild_project.this.source[0].buildspec).phases.build.commands)[0] == "iwomp-worker",
    ])
    error_message = "The command needs a daemon that it may talk to: ${aws_codebuild_project.this.source[0].buildspec}"
  }
}

run "a_build_in_a_network_may_make_interfaces_in_its_own_subnets_only" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    vpc = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a", "subnet-0b"], security_group_ids = ["sg-0a"] }
  }

  assert {
    condition     = aws_codebuild_project.this.vpc_config[0].vpc_id == "vpc-0a" && aws_codebuild_project.this.vpc_config[0].subnets == toset(["subnet-0a", "subnet-0b"])
    error_message = "The build must be in that network."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement :
      statement.Sid => [flatten([statement.Action]), flatten([statement.Resource]), try(statement.Condition, null)]
      if anytrue([for action in flatten([statement.Action]) : startswith(action, "ec2:")])
      } == {
      LookAtNetwork = [["ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"], ["*"], null]
      MakeNetworkInterface = [["ec2:CreateNetworkInterface"], [
        "arn:aws:ec2:eu-central-1:123456789012:network-interface/*",
        "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-0a",
        "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-0b",
        "arn:aws:ec2:eu-central-1:123456789012:security-group/sg-0a",
      ], null]
      RemoveNetworkInterface = [["ec2:DeleteNetworkInterface"], ["arn:aws:ec2:eu-central-1:123456789012:network-interface/*"], {
        ArnEquals = { "ec2:Subnet" = ["arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-0a", "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-0b"] }
      }]
      LendNetworkInterface = [["ec2:CreateNetworkInterfacePermission"], ["arn:aws:ec2:eu-central-1:123456789012:network-interface/*"], {
        ArnEquals    = { "ec2:Subnet" = ["arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-0a", "arn:aws:ec2:eu-central-1:123456789012:subnet/subnet-0b"] }
        StringEquals = { "ec2:AuthorizedService" = "codebuild.amazonaws.com" }
      }]
    }
    error_message = "Interfaces in its own subnets, lent to CodeBuild and nobody else: ${aws_iam_role_policy.worker.policy}"
  }
}

run "a_build_outside_of_a_network_has_no_right_on_networks" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = length(aws_codebuild_project.this.vpc_config) == 0 && !strcontains(aws_iam_role_policy.worker.policy, "ec2:")
    error_message = "Off by default."
  }
}

run "a_build_has_no_privilege_and_no_cache" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = coalesce(aws_codebuild_project.this.environment[0].privileged_mode, false) == false
    error_message = "A privileged build owns the machine it runs on."
  }

  assert {
    condition     = length(aws_codebuild_project.this.cache) == 0
    error_message = "A cache carries what one build wrote into the next."
  }
}

# Both ends of timeout_minutes, with the numbers of worker/src/bounds.rs.
run "the_worker_ends_the_command_before_codebuild_does" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    timeout_minutes = 5
  }

  assert {
    condition = {
      for variable in aws_codebuild_project.this.environment[0].environment_variable : variable.name => variable.value
    } == { CONFIGPATH = "iwomp-in-aws", TIMELIMITSECONDS = "180" }
    error_message = "The build must get the config path and two minutes less than its timeout."
  }

  assert {
    condition     = aws_codebuild_project.this.build_timeout == 5
    error_message = "The build must be bounded."
  }
}

run "the_worker_ends_the_longest_command_before_codebuild_does" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    timeout_minutes = 480
  }

  assert {
    condition = {
      for variable in aws_codebuild_project.this.environment[0].environment_variable : variable.name => variable.value
    } == { CONFIGPATH = "iwomp-in-aws", TIMELIMITSECONDS = "28680" }
    error_message = "The build must get the config path and two minutes less than its timeout."
  }

  assert {
    condition     = aws_codebuild_project.this.build_timeout == 480
    error_message = "The build must be bounded."
  }
}

run "an_image_in_ecr_is_pulled_with_the_builds_role" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = aws_codebuild_project.this.environment[0].image_pull_credentials_type == "SERVICE_ROLE" && aws_codebuild_project.this.environment[0].type == "LINUX_CONTAINER"
    error_message = "CodeBuild's own identity has no right on our repository."
  }
}

run "an_image_of_codebuilds_own_is_pulled_by_codebuild_and_needs_no_right" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    image        = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
    architecture = "arm64"
  }

  assert {
    condition     = aws_codebuild_project.this.environment[0].image_pull_credentials_type == "CODEBUILD" && aws_codebuild_project.this.environment[0].type == "ARM_CONTAINER"
    error_message = "A build's role cannot pull CodeBuild's images."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.worker.policy, "ecr:")
    error_message = "No right on any registry is needed."
  }
}

run "an_image_in_another_accounts_registry_can_be_pulled" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/team/worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement if statement.Sid == "PullImage"]).Resource == "arn:aws:ecr:us-east-1:210987654321:repository/team/worker"
    error_message = "The right to pull must be on the repository that the image names."
  }
}

# --- the role ---

run "only_builds_of_this_project_take_the_role" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Sid       = "BuildsOfThisProject"
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws:codebuild:eu-central-1:123456789012:project/iwomp-in-aws--shop" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }]
    error_message = "Another CodeBuild project could take the role."
  }
}

run "the_worker_has_these_rights_and_no_others" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement :
      statement.Sid => [statement.Effect, flatten([statement.Action]), flatten([statement.Resource])]
      } == {
      ReadOwnEntry = ["Allow", ["ssm:GetParameter", "ssm:GetParameters"], [
        "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/shop",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/_default",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-credentials/shop",
      ]]
      KeepWhatIsLive  = ["Allow", ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"], ["arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-deployed/shop/*", "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-deployed/shop"]]
      DecryptOwnEntry = ["Allow", ["kms:Decrypt"], ["arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]]
      WriteLog        = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/codebuild/iwomp-in-aws--shop:*"]]
      PullImage       = ["Allow", ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], ["arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"]]
      LogInToRegistry = ["Allow", ["ecr:GetAuthorizationToken"], ["*"]]
    }
    error_message = "A build must hold its own parameters, its own log and its image; nothing else."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement if statement.Sid == "DecryptOwnEntry"
      ]).Condition == {
      StringEquals = {
        "kms:EncryptionContext:PARAMETER_ARN" = [
          "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/shop",
          "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/_default",
          "arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws-credentials/shop",
        ]
      }
    }
    error_message = "The key must open this project's parameters only."
  }
}

run "a_broad_policy_does_not_reach_the_pipeline" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement :
      statement.Sid => [flatten([try(statement.Action, [])]), flatten([try(statement.NotAction, [])]), flatten([try(statement.Resource, [])])]
      if statement.Effect == "Deny"
      } == {
      LeaveBuildsAlone = [["codebuild:*"], [], ["arn:aws:codebuild:*:*:*/iwomp-in-aws--*"]]
      LeaveTriggersAlone = [["events:*", "lambda:*", "scheduler:*", "sns:*", "sqs:*"], [], [
        "arn:aws:sns:*:*:iwomp-in-aws",
        "arn:aws:sns:*:*:iwomp-in-aws:*",
        "arn:aws:sns:*:*:iwomp-in-aws--*",
        "arn:aws:sqs:*:*:iwomp-in-aws--*",
        "arn:aws:scheduler:*:*:schedule-group/iwomp-in-aws",
        "arn:aws:scheduler:*:*:schedule/iwomp-in-aws/*",
        "arn:aws:events:*:*:rule/iwomp-in-aws--*",
        "arn:aws:lambda:*:*:function:iwomp-in-aws--*",
      ]]
      LeaveWatchAlone = [["cloudwatch:*", "logs:*"], [], [
        "arn:aws:cloudwatch:*:*:alarm:iwomp-in-aws--*",
        "arn:aws:cloudwatch:*:*:dashboard/iwomp-in-aws--*",
        "arn:aws:logs:*:*:log-group:/aws/lambda/iwomp-in-aws--*",
      ]]
      LeaveLogsAlone = [[], ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:*:*:log-group:/aws/codebuild/iwomp-in-aws--*"]]
      LeaveRegisterAlone = [[], ["ssm:Describe*", "ssm:GetParameter*", "ssm:List*"], [
        "arn:aws:ssm:*:*:parameter/iwomp-in-aws/*",
        "arn:aws:ssm:*:*:parameter/iwomp-in-aws-credentials/*",
        "arn:aws:ssm:*:*:parameter/iwomp-in-aws-notify/*",
        "arn:aws:ssm:*:*:parameter/iwomp-in-aws-paused/*",
        "arn:aws:ssm:*:*:parameter/iwomp-in-aws-reported/*",
      ]]
      LeaveRecordsStanding    = [[], ["ssm:Describe*", "ssm:GetParameter*", "ssm:List*", "ssm:PutParameter"], ["arn:aws:ssm:*:*:parameter/iwomp-in-aws-deployed/*"]]
      LeaveKeyAlone           = [[], ["kms:Decrypt"], ["arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]]
      DecryptNothingOfOthers  = [["kms:Decrypt"], [], ["arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]]
      LeaveImagesAlone        = [[], ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], ["arn:aws:ecr:eu-central-1:123456789012:repository/iwomp-in-aws"]]
      MapNothingToThePipeline = [["lambda:*EventSourceMapping"], [], ["*"]]
      CountNothingInOurName   = [["cloudwatch:PutMetricData"], [], ["*"]]
      LeaveAccountAlone = [[
        "logs:*AccountPolicy", "logs:*IndexPolicy", "logs:*PipelineRule",
        "logs:*ResourcePolicy", "logs:*StorageTierPolicy", "logs:Link", "ecr:*RegistryPolicy", "ecr:*ReplicationConfiguration",
        "cloudtrail:Delete*", "cloudtrail:Put*", "cloudtrail:StopLogging", "cloudtrail:UpdateTrail", "events:UpdateEventBus",
        "account:*", "organizations:LeaveOrganization",
      ], [], ["*"]]
      BeOwnIdentitiesOnly = [["iam:A*", "iam:C*", "iam:D*", "iam:E*", "iam:P*", "iam:R*", "iam:Se*", "iam:T*", "iam:U*", "sts:AssumeRole", "sts:AssumeRoot"], [], []]
      PassTheBoundaryOn   = [["iam:Attach*Policy", "iam:CreateRole", "iam:CreateUser", "iam:PutRole*", "iam:PutUser*", "iam:UpdateAssumeRolePolicy"], [], ["*"]]
      TakeNoBoundaryOff   = [["iam:Delete*PermissionsBoundary"], [], ["*"]]
    }
    error_message = "Builds, roles, triggers, alarms, logs, register, key and images of the pipeline must be out of reach."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement : statement if statement.Sid == "DecryptNothingOfOthers"
      ]).Condition.StringNotLike["kms:EncryptionContext:PARAMETER_ARN"] == [
      for arn in one([
        for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement if statement.Sid == "DecryptOwnEntry"
      ]).Condition.StringEquals["kms:EncryptionContext:PARAMETER_ARN"] : replace(arn, "arn:aws:ssm:eu-central-1:123456789012:", "*:")
    ]
    error_message = "What is not allowed to be decrypted must be denied."
  }
}

run "what_a_build_makes_carries_its_boundary_under_its_own_path" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_role_arn = "arn:aws:iam::123456789012:role/deploy-shop"
    other_role_arns = ["arn:aws:iam::123456789012:role/ecsTaskExecutionRole"]
  }

  assert {
    condition     = aws_iam_policy.boundary.name == "iwomp-in-aws--eu-central-1--shop-boundary" && output.identity_path == "/iwomp-in-aws/eu-central-1/shop/"
    error_message = "Its name is part of a condition, and both are what a deployment has to give to its roles."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement : statement.Sid => statement.Condition
      if contains(["PassTheBoundaryOn", "MapNothingToThePipeline", "CountNothingInOurName", "BeOwnIdentitiesOnly"], statement.Sid)
      } == {
      PassTheBoundaryOn       = { StringNotEquals = { "iam:PermissionsBoundary" = "arn:aws:iam::123456789012:policy/iwomp-in-aws--eu-central-1--shop-boundary" } }
      MapNothingToThePipeline = { ArnLike = { "lambda:FunctionArn" = "arn:aws:lambda:*:*:function:iwomp-in-aws--*" } }
      CountNothingInOurName   = { StringEquals = { "cloudwatch:namespace" = "iwomp" } }
      BeOwnIdentitiesOnly     = { StringEqualsIfExists = { "aws:ResourceAccount" = "123456789012" } }
    }
    error_message = "A role without this very boundary must not be made, and the boundary must pass its own conditions on."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement : statement.NotResource if statement.Sid == "BeOwnIdentitiesOnly"
      ]) == [
      "arn:aws:iam::123456789012:????/iwomp-in-aws/eu-central-1/shop/*",
      "arn:aws:iam::123456789012:policy/iwomp-in-aws/eu-central-1/shop/*",
      "arn:aws:iam::123456789012:instance-profile/iwomp-in-aws/eu-central-1/shop/*",
      "arn:aws:iam::123456789012:role/aws-service-role/*",
      "arn:aws:iam::123456789012:oidc-provider/oidc.eks.*",
      "arn:aws:iam::123456789012:role/deploy-shop",
      "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
    ]
    error_message = "A deployment may change, pass and take what it made itself and what the register's keeper named."
  }

  assert {
    condition = length(setsubtract(
      [for statement in jsondecode(aws_iam_role_policy.fence.policy).Statement : jsonencode({ for key, value in statement : key => value if key != "Sid" }) if contains(["MapNothingToThePipeline", "CountNothingInOurName", "LeaveAccountAlone", "BeOwnIdentitiesOnly", "PassTheBoundaryOn", "TakeNoBoundaryOff"], statement.Sid)],
      [for statement in jsondecode(aws_iam_policy.boundary.policy).Statement : jsonencode(statement)],
    )) == 0
    error_message = "What has no name of ours in it must be denied by the boundary as by the fence: a role that a build makes has the boundary only."
  }

  assert {
    condition = toset([for arn in one([
      for statement in jsondecode(aws_iam_policy.boundary.policy).Statement : statement.NotResource if statement.Effect == "Allow" && statement.Action == "*" && can(statement.NotResource)
      ]) : replace(replace(arn, "arn:aws:", ""), ":*:*:", ":")]) == toset([
      "sns:iwomp-in-aws", "sns:iwomp-in-aws:*", "sns:iwomp-in-aws--*", "sqs:iwomp-in-aws--*",
      "scheduler:schedule-group/iwomp-in-aws", "scheduler:schedule/iwomp-in-aws/*", "events:rule/iwomp-in-aws--*",
      "lambda:function:iwomp-in-aws--*",
      "cloudwatch:alarm:iwomp-in-aws--*", "cloudwatch:dashboard/iwomp-in-aws--*", "logs:log-group:/aws/lambda/iwomp-in-aws--*", "logs:log-group:/aws/codebuild/iwomp-in-aws--*",
      "codebuild:*/iwomp-in-aws--*", "iam::*:*/iwomp-in-aws--*", "iam::*:*/iwomp-in-aws/*",
      "ssm:parameter/iwomp-in-aws", "ssm:parameter/iwomp-in-aws/*", "ssm:parameter/iwomp-in-aws-*", "ssm:parameter/",
      "kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555", "kms:alias/iwomp-in-aws",
      "ecr:eu-central-1:123456789012:repository/iwomp-in-aws", "cloudformation:stack/iwomp-in-aws--*",
    ])
    error_message = "The boundary must allow nothing that names a thing of the pipeline."
  }
}

run "a_boundary_of_somebody_elses_takes_the_place_and_the_fence_stays" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && length(jsondecode(aws_iam_role_policy.fence.policy).Statement) > 10
    error_message = "A role has one boundary; the fence does not hang on it."
  }
}

run "a_role_of_the_pipelines_is_not_lent_to_a_build" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    other_role_arns = ["arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--launcher"]
  }

  expect_failures = [var.other_role_arns]
}

run "roles_are_lent_one_by_one" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    other_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }

  expect_failures = [var.other_role_arns]
}

run "a_boundary_that_iam_would_not_take_is_an_error_of_the_plan" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    other_role_arns = [for number in range(60) : "arn:aws:iam::123456789012:role/one-of-very-many-roles-${number}"]
  }

  expect_failures = [aws_iam_policy.boundary]
}

run "a_deploy_role_is_the_only_role_that_a_build_may_take" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url           = null
    command           = null
    external_register = true # the entry of somebody else names it, too
    deploy_role_arn   = "arn:aws:iam::210987654321:role/deploy/shop"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement
      if anytrue([for action in flatten([statement.Action]) : startswith(action, "sts:")])
      ] == [{
        Sid      = "TakeDeployRole"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:TagSession"]
        Resource = "arn:aws:iam::210987654321:role/deploy/shop"
    }]
    error_message = "The build must be able to take that role, with tags, and no other."
  }
}

run "the_projects_own_policies_are_attached" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    policy_arns          = ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/team/deploy"]
    policy_json          = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition = [for attachment in values(aws_iam_role_policy_attachment.project) : attachment.policy_arn] == [
      "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/team/deploy",
    ]
    error_message = "Both managed policies must be attached."
  }

  assert {
    condition     = aws_iam_role_policy.project[0].policy == var.policy_json && aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The inline policy and the boundary must be the role's."
  }
}

run "without_policies_nothing_is_added" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = length(aws_iam_role_policy_attachment.project) == 0 && length(aws_iam_role_policy.project) == 0
    error_message = "A role must hold no policy that nobody named."
  }
}

run "a_short_name_is_the_roles_name" {
  command = plan

  module {
    source = "./modules/project"
  }

  assert {
    condition     = aws_iam_role.this.name == "iwomp-in-aws--eu-central-1--shop"
    error_message = "Not the name of the documentation: ${aws_iam_role.this.name}"
  }
}

run "a_long_name_is_cut_and_hashed" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name = "a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01"
  }

  assert {
    condition = aws_iam_role.this.name == join("-", [
      "iwomp-in-aws--eu-central-1--a-project-with-a-name-as-lo",
      substr(sha256("iwomp-in-aws--eu-central-1--a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01"), 0, 8),
    ])
    error_message = "Two names that differ in the end only must have two roles: ${aws_iam_role.this.name}"
  }

  assert {
    condition     = length(aws_iam_role.this.name) == 64
    error_message = "IAM takes 64 characters."
  }

  assert {
    condition     = aws_codebuild_project.this.name == "iwomp-in-aws--a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01"
    error_message = "The build's name is the launcher's to derive, and is not cut."
  }
}

run "the_longest_names_leave_room_for_a_policy_of_the_projects_own" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    account     = { id = "123456789012", partition = "aws-us-gov", region = "us-gov-west-1" }
    config_path = "a-pipeline-with-a-32-letter-name"
    names = {
      prefix     = "a-pipeline-with-a-32-letter-name--"
      iam_prefix = "a-pipeline-with-a-32-letter-name--us-gov-west-1--"
      parameters = {
        register    = "/a-pipeline-with-a-32-letter-name"
        credentials = "/a-pipeline-with-a-32-letter-name-credentials"
        deployed    = "/a-pipeline-with-a-32-letter-name-deployed"
        notify      = "/a-pipeline-with-a-32-letter-name-notify"
        paused      = "/a-pipeline-with-a-32-letter-name-paused"
        reported    = "/a-pipeline-with-a-32-letter-name-reported"
        default     = "/a-pipeline-with-a-32-letter-name/_default"
      }
    }
    name            = "a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01"
    deploy_role_arn = "arn:aws-us-gov:iam::210987654321:role/a-deploy-role-with-a-name-of-64-letters-which-is-as-long-as-it-gets"
  }

  # IAM counts all inline policies of a role together.
  assert {
    condition     = length(aws_iam_role_policy.worker.policy) + length(aws_iam_role_policy.fence.policy) <= 10240 - 2650
    error_message = "Of IAM's 10240 characters too few are left: ${length(aws_iam_role_policy.worker.policy)} + ${length(aws_iam_role_policy.fence.policy)}"
  }

  assert {
    condition     = length(aws_iam_policy.boundary.policy) <= 6144
    error_message = "IAM takes 6144 characters of a managed policy: ${length(aws_iam_policy.boundary.policy)}"
  }
}

# --- limits of AWS that a plan can know: errors of the plan, with the number ---

run "a_policy_that_does_not_fit_beside_ours_is_refused" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    policy_json = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = [for number in range(400) : "s3:Get${number}Something"], Resource = "*" }] })
  }

  expect_failures = [aws_iam_role_policy.project]
}

run "white_space_of_a_policy_does_not_count_and_the_rest_of_the_limit_can_be_used" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    policy_json = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"${format("%9000s", "")} }]
      }
    JSON
  }

  assert {
    condition     = local.policy_left_characters == 10240 - length(aws_iam_role_policy.worker.policy) - length(aws_iam_role_policy.fence.policy)
    error_message = "What is left must be measured on the policies as IAM gets them."
  }
}

run "iam_attaches_ten_policies_to_a_role" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    policy_arns = [for number in range(11) : "arn:aws:iam::123456789012:policy/deploy-${number}"]
  }

  expect_failures = [var.policy_arns]
}

run "an_entry_that_no_parameter_holds_is_refused" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    ca_bundle = "-----BEGIN CERTIFICATE-----\n${replace(format("%8400s", ""), " ", "x")}\n-----END CERTIFICATE-----\n"
  }

  expect_failures = [aws_ssm_parameter.register]
}

run "a_parameter_holds_bytes_and_not_characters" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    ca_bundle = "-----BEGIN CERTIFICATE-----\n${replace(format("%4100s", ""), " ", "ä")}\n-----END CERTIFICATE-----\n"
  }

  expect_failures = [aws_ssm_parameter.register]
}
