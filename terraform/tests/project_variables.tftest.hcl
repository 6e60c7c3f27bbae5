# What a project's fields must refuse, and the forms of a repository's URL that must pass. Where one run has wrong values of
# several variables, each of these must fail.

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

run "a_name_is_no_path" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    name = "a/b"
  }

  expect_failures = [var.name]
}

run "a_name_is_not_the_default_entrys" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    name = "_default"
  }

  expect_failures = [var.name]
}

run "a_name_has_no_version_selector" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    name = "shop:1"
  }

  expect_failures = [var.name]
}

run "a_name_is_one_line" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    name = "shop\n"
  }

  expect_failures = [var.name]
}

run "a_name_is_at_most_63_long" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    name = "a234567890123456789012345678901234567890123456789012345678901234"
  }

  expect_failures = [var.name]
}

run "a_url_is_required" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    git_url = null
  }

  expect_failures = [var.external_register]
}

run "a_command_is_required" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    command = null
  }

  expect_failures = [var.external_register]
}

run "a_command_is_given_once" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    command_vector = ["make"]
  }

  expect_failures = [var.external_register]
}

run "an_external_entry_is_not_given_here_too" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    external_register = true
  }

  expect_failures = [var.external_register]
}

run "an_external_entry_keeps_its_branches_to_itself" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    git_url           = null
    command           = null
    branches          = ["main"]
    external_register = true
  }

  expect_failures = [var.external_register]
}

run "a_command_vector_is_not_empty" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    command        = null
    command_vector = []
  }

  expect_failures = [var.command_vector]
}

run "a_command_vector_starts_with_a_program" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    command        = null
    command_vector = ["", "deploy"]
  }

  expect_failures = [var.command_vector]
}

run "branches_of_dependabot_renovate_and_jira_are_taken" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["dependabot/npm_and_yarn/@types/node-20.1.0", "renovate/@types+node", "feature/ABC-123_(x)", "fix/#12", "fix/#/*"]
  }

  assert {
    condition     = contains(jsondecode(aws_ssm_parameter.register[0].insecure_value).branches, "fix/#12")
    error_message = "The register must hold the branch as it is."
  }
}

run "variables_for_the_command_may_speak_of_much" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    environment = { STAGE = "prod", TF_VAR_region = "eu-west-1", MONKEY = "x", NODE_OPTIONS = "--max-old-space-size=4096" }
  }
}

run "a_version_of_credentials_counts_from_1" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    credentials_version = 0
    credentials         = "{}"
  }

  expect_failures = [var.credentials_version]
}

run "large_files_are_refused_ignored_or_fetched" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    lfs = "all"
  }

  expect_failures = [var.lfs]
}

run "large_files_are_fetched_over_https_alone" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    git_url = "ssh://git@git.example/shop.git"
    lfs     = "fetch"
  }

  expect_failures = [var.lfs]
}

run "large_files_are_fetched_over_https" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/shop.git"
    lfs     = "fetch"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).lfs == "fetch"
    error_message = "lfs is not in the register: ${nonsensitive(aws_ssm_parameter.register[0].insecure_value)}"
  }
}

run "sparse_needs_a_directory_to_leave_something_out" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    sparse = true
  }

  expect_failures = [var.sparse]
}

run "sparse_does_not_take_the_root_for_a_part" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    sparse     = true
    deploy_dir = ".//./"
  }

  expect_failures = [var.sparse]
}

run "sparse_needs_a_directory_in_one_line" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    sparse     = true
    deploy_dir = "infra\nshop"
  }

  expect_failures = [var.sparse]
}

run "sparse_does_not_stand_beside_tags" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    sparse     = true
    deploy_dir = "infra"
    tags       = true
  }

  expect_failures = [var.sparse]
}

run "sparse_does_not_stand_beside_accepted_faults" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    sparse              = true
    deploy_dir          = "infra"
    accepted_git_faults = ["badTimezone"]
  }

  expect_failures = [var.sparse]
}

run "sparse_takes_a_hidden_directory_with_an_odd_name" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    sparse              = true
    deploy_dir          = "./.deploy/we[i]rd *dir"
    tags                = false
    accepted_git_faults = []
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).sparse
    error_message = "sparse is not in the register: ${nonsensitive(aws_ssm_parameter.register[0].insecure_value)}"
  }
}

run "an_external_entry_says_itself_what_to_do_with_what_is_live" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    git_url           = null
    command           = null
    external_register = true
    unchanged         = "skip"
  }

  expect_failures = [var.external_register]
}

run "an_external_entry_keeps_its_signers_to_itself" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    git_url           = null
    command           = null
    external_register = true
    allowed_signers   = "dev@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  }

  expect_failures = [var.external_register]
}

run "a_url_may_have_a_port" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example:8443/a/~b/c.git"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "a_url_may_have_a_space_in_its_path" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://dev.azure.com/org/My%20Project/_git/repo"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "a_url_may_have_a_bare_host" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://localhost:4430/demo.git"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "a_url_may_be_ssh" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "ssh://git@git.example:2222/org/shop.git"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "a_url_may_be_ssh_without_a_user" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "ssh://git.example/shop.git"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "a_url_may_be_in_scp_form" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "git@git.example:org/shop.git"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "a_url_may_have_an_absolute_path_in_scp_form" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "git@git.example:/srv/shop.git"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).gitUrl == var.git_url
    error_message = "The URL must be registered as it was written."
  }
}

run "every_form_of_a_branch_is_taken" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "release/*", "feature/a_b-c", "v1.0.0", "_x", "1", "a/b/c/d/e/f/g/h/i/j/k/l"]
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.register[0].insecure_value).branches == ["main", "release/*", "feature/a_b-c", "v1.0.0", "_x", "1", "a/b/c/d/e/f/g/h/i/j/k/l"]
    error_message = "The branches must be registered as they were written."
  }
}

run "signers_may_have_options_comments_and_several_keys" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    allowed_signers = "# the team\r\ndev@example.org,dev@example.com namespaces=\"git\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA laptop\r\n\n  ops@example.org\tsk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIEX/dQ0v4127bEo8eeG1EV0ApO2lWbSnN6RWusn/NjqIAAAABHNzaDo=\n"
  }
}

run "signers_may_be_a_gpg_key" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    allowed_signers = "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
  }
}

run "no_variable_takes_these_1" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url is not plain http
    git_url = "http://git.example/shop.git"

    # a command is not empty
    command = ""

    # a directory is relative
    deploy_dir = "/etc"

    # no branches is not all branches
    branches = []

    # a signers key is whole
    allowed_signers = "dev@example.org ssh-ed25519 AAAA"

    # a ca bundle holds no private key
    ca_bundle = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

    # a variable for the command has a name that a shell could set
    environment = { "A-B" = "x" }

    # a token is sent in one of two ways
    auth_scheme = "digest"

    # an image without tag is whatever is latest
    image = "public.ecr.aws/team/worker"

    # there are two architectures
    architecture = "aarch64"

    # a machine is one of codebuilds
    compute_type = "BUILD_LAMBDA_1GB"

    # a timeout leaves time to end in order
    timeout_minutes = 4

    # a policy is named by its arn
    policy_arns = ["ReadOnlyAccess"]

    # an inline policy is json
    policy_json = "s3:*"

    # a deploy role is not every role
    deploy_role_arn = "arn:aws:iam::123456789012:role/*"

    # a pinned commit is of the branch or its head
    pinned = "tail"

    # submodules are refused ignored or fetched
    submodules = "all"

    # only harmless faults are accepted
    accepted_git_faults = ["badTimezone", "hasDotgit"]

    # unchanged is run or skip
    unchanged = "ignore"

    # a vpc is one by its id
    vpc = { vpc_id = "main", subnet_ids = ["subnet-0a"], security_group_ids = ["sg-0a"] }

    # a target has five fields
    notify = [{ to = "slack", url = "https://hooks.slack.com/services/x" }]
  }

  expect_failures = [
    var.git_url,
    var.command,
    var.deploy_dir,
    var.branches,
    var.allowed_signers,
    var.ca_bundle,
    var.environment,
    var.auth_scheme,
    var.image,
    var.architecture,
    var.compute_type,
    var.timeout_minutes,
    var.policy_arns,
    var.policy_json,
    var.deploy_role_arn,
    var.pinned,
    var.submodules,
    var.accepted_git_faults,
    var.unchanged,
    var.vpc,
    var.notify,
  ]
}

run "no_variable_takes_these_2" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url is no file
    git_url = "file:///srv/shop.git"

    # a directory does not leave the checkout
    deploy_dir = "infra/../.."

    # a star is not all branches
    branches = ["main", "*"]

    # a signers key is no junk
    allowed_signers = "dev@example.org ssh-ed25519 junk"

    # a command is no command line
    command = "./deploy.sh prod"

    # a ca bundle has real line ends
    ca_bundle = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"

    # a variable for the command is nobody elses
    environment = { Path = "/tmp" }

    # a digest is whole
    image = "public.ecr.aws/team/worker@sha256:abc"

    # a timeout is at most 8 hours
    timeout_minutes = 481

    # an inline policy has a statement
    policy_json = "{}"

    # a deploy role is no user
    deploy_role_arn = "arn:aws:iam::123456789012:user/deploy"

    # codebuild takes sixteen subnets
    vpc = { vpc_id = "vpc-0a", subnet_ids = [for number in range(17) : format("subnet-%x", number)], security_group_ids = ["sg-0a"] }

    # a target is of a known kind
    notify = [{ to = "pager" }]
  }

  expect_failures = [
    var.git_url,
    var.deploy_dir,
    var.branches,
    var.allowed_signers,
    var.command,
    var.ca_bundle,
    var.environment,
    var.image,
    var.timeout_minutes,
    var.policy_json,
    var.deploy_role_arn,
    var.vpc,
    var.notify,
  ]
}

run "no_variable_takes_these_3" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url is no transport helper
    git_url = "ext::sh -c id"

    # a directory is not empty
    deploy_dir = ""

    # a prefix ends at a slash
    branches = ["main", "release*"]

    # a variable for the command is none of awss
    environment = { AWS_PROFILE = "x" }

    # a ca bundle is pem
    ca_bundle = "/etc/ssl/ca.pem"

    # minutes are whole
    timeout_minutes = 7.5

    # signers are not nobody
    allowed_signers = "# nobody yet\n\n"

    # a deploy role is of one account
    deploy_role_arn = "arn:aws:iam::*:role/deploy"

    # codebuild takes five security groups
    vpc = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a"], security_group_ids = [for number in range(6) : format("sg-%x", number)] }

    # a target says what it is
    notify = [{ name = "x" }]
  }

  expect_failures = [
    var.git_url,
    var.deploy_dir,
    var.branches,
    var.environment,
    var.ca_bundle,
    var.timeout_minutes,
    var.allowed_signers,
    var.deploy_role_arn,
    var.vpc,
    var.notify,
  ]
}

run "no_variable_takes_these_4" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url holds no password
    git_url = "https://me:secret@git.example/shop.git"

    # a star stands at the end
    branches = ["main", "*/main"]

    # a variable for the command is no secret
    environment = { npm_token = "x" }

    # a signer has a key
    allowed_signers = "dev@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nops@example.org\n"

    # a deploy role has a name
    deploy_role_arn = "arn:aws:iam::123456789012:role/deploy/"

    # a name of a target is no path
    notify = [{ to = "slack", name = "a/b" }]
  }

  expect_failures = [
    var.git_url,
    var.branches,
    var.environment,
    var.allowed_signers,
    var.deploy_role_arn,
    var.notify,
  ]
}

run "no_variable_takes_these_5" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url holds no user over https
    git_url = "https://token@git.example/shop.git"

    # a branch is no full ref
    branches = ["main", "refs/heads/main"]

    # a variable for the command is no secret in one word
    environment = { DBPASSWORD = "x" }

    # a signer has a principal
    allowed_signers = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"

    # a deploy role is one line
    deploy_role_arn = "arn:aws:iam::123456789012:role/deploy\n"

    # two targets have two names
    notify = [{ to = "slack" }, { to = "slack" }]
  }

  expect_failures = [
    var.git_url,
    var.branches,
    var.environment,
    var.allowed_signers,
    var.deploy_role_arn,
    var.notify,
  ]
}

run "no_variable_takes_these_6" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url holds no password over ssh
    git_url = "ssh://git:secret@git.example/shop.git"

    # a branch is not head
    branches = ["main", "HEAD"]

    # there are at most 50 variables for the command
    environment = { for n in range(51) : "V${n}" => "x" }

    # no authority adds signers
    allowed_signers = "*@example.org Cert-AUTHORITY ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"

    # a target is told of states
    notify = [{ to = "slack", on = ["deployed"] }]
  }

  expect_failures = [
    var.git_url,
    var.branches,
    var.environment,
    var.allowed_signers,
    var.notify,
  ]
}

run "no_variable_takes_these_7" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url has no query
    git_url = "https://git.example/shop.git?ref=main"

    # a branch is no commit
    branches = ["main", "0123456789abcdef0123456789abcdef01234567"]

    # variables for the command are at most 2048 long
    environment = { A = join("", [for n in range(1024) : "xx"]) }

    # a private key is no signer
    allowed_signers = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"

    # a target is told of something
    notify = [{ to = "slack", on = [] }]
  }

  expect_failures = [
    var.git_url,
    var.branches,
    var.environment,
    var.allowed_signers,
    var.notify,
  ]
}

run "no_variable_takes_these_8" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url has no fragment
    git_url = "https://git.example/shop.git#main"

    # a branch does not start like an option
    branches = ["main", "--upload-pack=x"]

    # private is true or false
    notify = [{ to = "slack", private = "perhaps" }]
  }

  expect_failures = [
    var.git_url,
    var.branches,
    var.notify,
  ]
}

run "no_variable_takes_these_9" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url names no ip address
    git_url = "https://169.254.170.2/v2/credentials"

    # a branch has no two dots
    branches = ["main", "a..b"]

    # an environment is githubs
    notify = [{ to = "gitlab", environment = "production" }]
  }

  expect_failures = [
    var.git_url,
    var.branches,
    var.notify,
  ]
}

run "no_variable_takes_these_10" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url names no short ip address
    git_url = "https://127.1/shop.git"

    # a branch is no lock file
    branches = ["main", "a.lock/b"]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_11" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url names no ipv6 address
    git_url = "ssh://git@[::1]/shop.git"

    # a branch has no empty segment
    branches = ["main", "a//b"]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_12" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url names no address in scp form
    git_url = "git@127.0.0.1:shop.git"

    # a branch has at most 12 segments
    branches = ["main", "a/b/c/d/e/f/g/h/i/j/k/l/m"]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_13" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url has no host that is an option
    git_url = "ssh://-oProxyCommand=id/shop.git"

    # a branch is one line
    branches = ["main", "main\n"]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_14" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url has a path
    git_url = "https://git.example/"

    # a branch is at most 200 long
    branches = [join("", [for n in range(201) : "a"])]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_15" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url does not climb
    git_url = "https://git.example/org/../shop.git"

    # a branch is at most 200 long as names in aws write it
    branches = [join("", [for n in range(197) : n == 0 ? "a" : n < 196 ? "b" : "##"])]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_16" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url has no escape but a space
    git_url = "https://git.example/shop%0a.git"

    # a branch does not start like a comment
    branches = ["#12"]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_17" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url has no default port
    git_url = "https://git.example:443/shop.git"

    # a branch means nothing to a shell
    branches = ["main;id"]
  }

  expect_failures = [
    var.git_url,
    var.branches,
  ]
}

run "no_variable_takes_these_18" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url is one line
    git_url = "https://git.example/shop.git\n"
  }

  expect_failures = [
    var.git_url,
  ]
}

run "no_variable_takes_these_19" {
  command = plan

  module {
    source = "./tests/inputs/project"
  }

  variables {
    # a url is at most 1024 long
    git_url = "https://git.example/${join("", [for n in range(1024) : "a"])}"
  }

  expect_failures = [
    var.git_url,
  ]
}
