# What a project's fields must refuse, one rule a run, and the forms of a repository's URL that must pass.

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
    source = "./modules/project"
  }

  variables {
    name = "a/b"
  }

  expect_failures = [var.name]
}

run "a_name_is_not_the_default_entrys" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name = "_default"
  }

  expect_failures = [var.name]
}

run "a_name_has_no_version_selector" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name = "shop:1"
  }

  expect_failures = [var.name]
}

run "a_name_is_one_line" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name = "shop\n"
  }

  expect_failures = [var.name]
}

run "a_name_is_at_most_63_long" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    name = "a234567890123456789012345678901234567890123456789012345678901234"
  }

  expect_failures = [var.name]
}

run "a_url_is_not_plain_http" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "http://git.example/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_is_no_file" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "file:///srv/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_is_no_transport_helper" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "ext::sh -c id"
  }

  expect_failures = [var.git_url]
}

run "a_url_holds_no_password" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://me:secret@git.example/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_holds_no_user_over_https" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://token@git.example/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_holds_no_password_over_ssh" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "ssh://git:secret@git.example/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_has_no_query" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/shop.git?ref=main"
  }

  expect_failures = [var.git_url]
}

run "a_url_has_no_fragment" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/shop.git#main"
  }

  expect_failures = [var.git_url]
}

run "a_url_names_no_ip_address" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://169.254.170.2/v2/credentials"
  }

  expect_failures = [var.git_url]
}

run "a_url_names_no_short_ip_address" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://127.1/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_names_no_ipv6_address" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "ssh://git@[::1]/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_names_no_address_in_scp_form" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "git@127.0.0.1:shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_has_no_host_that_is_an_option" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "ssh://-oProxyCommand=id/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_has_a_path" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/"
  }

  expect_failures = [var.git_url]
}

run "a_url_does_not_climb" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/org/../shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_has_no_escape_but_a_space" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/shop%0a.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_has_no_default_port" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example:443/shop.git"
  }

  expect_failures = [var.git_url]
}

run "a_url_is_one_line" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/shop.git\n"
  }

  expect_failures = [var.git_url]
}

run "a_url_is_at_most_1024_long" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = "https://git.example/${join("", [for n in range(1024) : "a"])}"
  }

  expect_failures = [var.git_url]
}

run "a_url_is_required" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url = null
  }

  expect_failures = [var.external_register]
}

run "a_command_is_required" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    command = null
  }

  expect_failures = [var.external_register]
}

run "a_command_is_given_once" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    command_vector = ["make"]
  }

  expect_failures = [var.external_register]
}

run "an_external_entry_is_not_given_here_too" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    external_register = true
  }

  expect_failures = [var.external_register]
}

run "an_external_entry_keeps_its_branches_to_itself" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    git_url           = null
    command           = null
    branches          = ["main"]
    external_register = true
  }

  expect_failures = [var.external_register]
}

run "a_command_is_not_empty" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    command = ""
  }

  expect_failures = [var.command]
}

run "a_command_vector_is_not_empty" {
  command = plan

  module {
    source = "./modules/project"
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
    source = "./modules/project"
  }

  variables {
    command        = null
    command_vector = ["", "deploy"]
  }

  expect_failures = [var.command_vector]
}

run "a_directory_is_relative" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_dir = "/etc"
  }

  expect_failures = [var.deploy_dir]
}

run "a_directory_does_not_leave_the_checkout" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_dir = "infra/../.."
  }

  expect_failures = [var.deploy_dir]
}

run "a_directory_is_not_empty" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_dir = ""
  }

  expect_failures = [var.deploy_dir]
}

run "no_branches_is_not_all_branches" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = []
  }

  expect_failures = [var.branches]
}

run "a_star_is_not_all_branches" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "*"]
  }

  expect_failures = [var.branches]
}

run "a_prefix_ends_at_a_slash" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "release*"]
  }

  expect_failures = [var.branches]
}

run "a_star_stands_at_the_end" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "*/main"]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_no_full_ref" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "refs/heads/main"]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_not_head" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "HEAD"]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_no_commit" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "0123456789abcdef0123456789abcdef01234567"]
  }

  expect_failures = [var.branches]
}

run "a_branch_does_not_start_like_an_option" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "--upload-pack=x"]
  }

  expect_failures = [var.branches]
}

run "a_branch_has_no_two_dots" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "a..b"]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_no_lock_file" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "a.lock/b"]
  }

  expect_failures = [var.branches]
}

run "a_branch_has_no_empty_segment" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "a//b"]
  }

  expect_failures = [var.branches]
}

run "a_branch_has_at_most_12_segments" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "a/b/c/d/e/f/g/h/i/j/k/l/m"]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_one_line" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main", "main\n"]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_at_most_200_long" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = [join("", [for n in range(201) : "a"])]
  }

  expect_failures = [var.branches]
}

run "a_branch_is_at_most_200_long_as_names_in_aws_write_it" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = [join("", [for n in range(197) : n == 0 ? "a" : n < 196 ? "b" : "##"])]
  }

  expect_failures = [var.branches]
}

run "a_branch_does_not_start_like_a_comment" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["#12"]
  }

  expect_failures = [var.branches]
}

run "a_branch_means_nothing_to_a_shell" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    branches = ["main;id"]
  }

  expect_failures = [var.branches]
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

run "a_signers_key_is_whole" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "dev@example.org ssh-ed25519 AAAA"
  }

  expect_failures = [var.allowed_signers]
}

run "a_signers_key_is_no_junk" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "dev@example.org ssh-ed25519 junk"
  }

  expect_failures = [var.allowed_signers]
}

run "a_command_is_no_command_line" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    command = "./deploy.sh prod"
  }

  expect_failures = [var.command]
}

run "a_ca_bundle_holds_no_private_key" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    ca_bundle = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
  }

  expect_failures = [var.ca_bundle]
}

run "a_ca_bundle_has_real_line_ends" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    ca_bundle = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"
  }

  expect_failures = [var.ca_bundle]
}

run "a_variable_for_the_command_has_a_name_that_a_shell_could_set" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { "A-B" = "x" }
  }

  expect_failures = [var.environment]
}

run "a_variable_for_the_command_is_nobody_elses" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { Path = "/tmp" }
  }

  expect_failures = [var.environment]
}

run "a_variable_for_the_command_is_none_of_awss" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { AWS_PROFILE = "x" }
  }

  expect_failures = [var.environment]
}

run "a_variable_for_the_command_is_no_secret" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { npm_token = "x" }
  }

  expect_failures = [var.environment]
}

run "a_variable_for_the_command_is_no_secret_in_one_word" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { DBPASSWORD = "x" }
  }

  expect_failures = [var.environment]
}

run "there_are_at_most_50_variables_for_the_command" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { for n in range(51) : "V${n}" => "x" }
  }

  expect_failures = [var.environment]
}

run "variables_for_the_command_are_at_most_2048_long" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { A = join("", [for n in range(1024) : "xx"]) }
  }

  expect_failures = [var.environment]
}

run "variables_for_the_command_may_speak_of_much" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    environment = { STAGE = "prod", TF_VAR_region = "eu-west-1", MONKEY = "x", NODE_OPTIONS = "--max-old-space-size=4096" }
  }
}

run "a_token_is_sent_in_one_of_two_ways" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    auth_scheme = "digest"
  }

  expect_failures = [var.auth_scheme]
}

run "a_ca_bundle_is_pem" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    ca_bundle = "/etc/ssl/ca.pem"
  }

  expect_failures = [var.ca_bundle]
}

run "a_version_of_credentials_counts_from_1" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    credentials_version = 0
    credentials         = "{}"
  }

  expect_failures = [var.credentials_version]
}

run "an_image_without_tag_is_whatever_is_latest" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    image = "public.ecr.aws/team/worker"
  }

  expect_failures = [var.image]
}

run "a_digest_is_whole" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    image = "public.ecr.aws/team/worker@sha256:abc"
  }

  expect_failures = [var.image]
}

run "there_are_two_architectures" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    architecture = "aarch64"
  }

  expect_failures = [var.architecture]
}

run "a_machine_is_one_of_codebuilds" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    compute_type = "BUILD_LAMBDA_1GB"
  }

  expect_failures = [var.compute_type]
}

run "a_timeout_leaves_time_to_end_in_order" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    timeout_minutes = 4
  }

  expect_failures = [var.timeout_minutes]
}

run "a_timeout_is_at_most_8_hours" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    timeout_minutes = 481
  }

  expect_failures = [var.timeout_minutes]
}

run "minutes_are_whole" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    timeout_minutes = 7.5
  }

  expect_failures = [var.timeout_minutes]
}

run "a_policy_is_named_by_its_arn" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    policy_arns = ["ReadOnlyAccess"]
  }

  expect_failures = [var.policy_arns]
}

run "an_inline_policy_is_json" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    policy_json = "s3:*"
  }

  expect_failures = [var.policy_json]
}

run "an_inline_policy_has_a_statement" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    policy_json = "{}"
  }

  expect_failures = [var.policy_json]
}

run "signers_are_not_nobody" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "# nobody yet\n\n"
  }

  expect_failures = [var.allowed_signers]
}

run "a_signer_has_a_key" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "dev@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nops@example.org\n"
  }

  expect_failures = [var.allowed_signers]
}

run "a_signer_has_a_principal" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
  }

  expect_failures = [var.allowed_signers]
}

run "no_authority_adds_signers" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "*@example.org Cert-AUTHORITY ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
  }

  expect_failures = [var.allowed_signers]
}

run "a_private_key_is_no_signer" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
  }

  expect_failures = [var.allowed_signers]
}

run "a_deploy_role_is_not_every_role" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_role_arn = "arn:aws:iam::123456789012:role/*"
  }

  expect_failures = [var.deploy_role_arn]
}

run "a_deploy_role_is_no_user" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_role_arn = "arn:aws:iam::123456789012:user/deploy"
  }

  expect_failures = [var.deploy_role_arn]
}

run "a_deploy_role_is_of_one_account" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_role_arn = "arn:aws:iam::*:role/deploy"
  }

  expect_failures = [var.deploy_role_arn]
}

run "a_deploy_role_has_a_name" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_role_arn = "arn:aws:iam::123456789012:role/deploy/"
  }

  expect_failures = [var.deploy_role_arn]
}

run "a_deploy_role_is_one_line" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    deploy_role_arn = "arn:aws:iam::123456789012:role/deploy\n"
  }

  expect_failures = [var.deploy_role_arn]
}

run "a_pinned_commit_is_of_the_branch_or_its_head" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    pinned = "tail"
  }

  expect_failures = [var.pinned]
}

run "submodules_are_refused_ignored_or_fetched" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    submodules = "all"
  }

  expect_failures = [var.submodules]
}

run "large_files_are_refused_ignored_or_fetched" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    lfs = "all"
  }

  expect_failures = [var.lfs]
}

run "large_files_are_fetched_over_https_alone" {
  command = plan

  module {
    source = "./modules/project"
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
    source = "./modules/project"
  }

  variables {
    sparse = true
  }

  expect_failures = [var.sparse]
}

run "sparse_does_not_take_the_root_for_a_part" {
  command = plan

  module {
    source = "./modules/project"
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
    source = "./modules/project"
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
    source = "./modules/project"
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
    source = "./modules/project"
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

run "only_harmless_faults_are_accepted" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    accepted_git_faults = ["badTimezone", "hasDotgit"]
  }

  expect_failures = [var.accepted_git_faults]
}

run "unchanged_is_run_or_skip" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    unchanged = "ignore"
  }

  expect_failures = [var.unchanged]
}

run "an_external_entry_says_itself_what_to_do_with_what_is_live" {
  command = plan

  module {
    source = "./modules/project"
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
    source = "./modules/project"
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
    source = "./modules/project"
  }

  variables {
    allowed_signers = "# the team\r\ndev@example.org,dev@example.com namespaces=\"git\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA laptop\r\n\n  ops@example.org\tsk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIEX/dQ0v4127bEo8eeG1EV0ApO2lWbSnN6RWusn/NjqIAAAABHNzaDo=\n"
  }
}

run "signers_may_be_a_gpg_key" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    allowed_signers = "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
  }
}

run "a_vpc_is_one_by_its_id" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    vpc = { vpc_id = "main", subnet_ids = ["subnet-0a"], security_group_ids = ["sg-0a"] }
  }

  expect_failures = [var.vpc]
}

run "codebuild_takes_sixteen_subnets" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    vpc = { vpc_id = "vpc-0a", subnet_ids = [for number in range(17) : format("subnet-%x", number)], security_group_ids = ["sg-0a"] }
  }

  expect_failures = [var.vpc]
}

run "codebuild_takes_five_security_groups" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    vpc = { vpc_id = "vpc-0a", subnet_ids = ["subnet-0a"], security_group_ids = [for number in range(6) : format("sg-%x", number)] }
  }

  expect_failures = [var.vpc]
}

run "a_target_has_four_fields" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "slack", url = "https://hooks.slack.com/services/x" }]
  }

  expect_failures = [var.notify]
}

run "a_target_is_of_a_known_kind" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "pager" }]
  }

  expect_failures = [var.notify]
}

run "a_target_says_what_it_is" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ name = "x" }]
  }

  expect_failures = [var.notify]
}

run "a_name_of_a_target_is_no_path" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "slack", name = "a/b" }]
  }

  expect_failures = [var.notify]
}

run "two_targets_have_two_names" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "slack" }, { to = "slack" }]
  }

  expect_failures = [var.notify]
}

run "a_target_is_told_of_states" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "slack", on = ["deployed"] }]
  }

  expect_failures = [var.notify]
}

run "a_target_is_told_of_something" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "slack", on = [] }]
  }

  expect_failures = [var.notify]
}

run "private_is_true_or_false" {
  command = plan

  module {
    source = "./modules/project"
  }

  variables {
    notify = [{ to = "slack", private = "perhaps" }]
  }

  expect_failures = [var.notify]
}
