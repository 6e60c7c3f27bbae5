# One module a project, not one resource a kind crossed with all projects: at hundreds of projects a plan then costs half.
module "project" {
  source   = "./modules/project"
  for_each = local.projects

  name        = each.key
  account     = local.account
  config_path = var.config_path
  names       = local.names

  git_url           = each.value.git_url
  command           = each.value.command
  command_vector    = each.value.command_vector
  deploy_dir        = each.value.deploy_dir
  branches          = each.value.branches
  auth_scheme       = each.value.auth_scheme
  ca_bundle         = each.value.ca_bundle
  external_register = each.value.external_register
  require_commit    = each.value.require_commit
  first_parent      = each.value.first_parent
  pinned            = each.value.pinned

  submodules          = each.value.submodules
  lfs                 = each.value.lfs
  sparse              = each.value.sparse
  tags                = each.value.tags
  accepted_git_faults = each.value.accepted_git_faults
  git_access          = each.value.git_access
  github_app          = each.value.github_app
  notify              = each.value.notify

  allowed_signers = each.value.allowed_signers
  deploy_role_arn = each.value.deploy_role_arn
  unchanged       = each.value.unchanged
  environment     = each.value.environment

  credentials         = lookup(var.credentials, each.key, null)
  credentials_version = each.value.credentials_version
  key_arn             = aws_kms_key.this.arn
  key_alias           = aws_kms_alias.this.name
  broker_function     = one(module.broker[*].function_name)
  app_key_arn         = try(var.github_app.key, null)

  image           = local.image_of_project[each.key]
  repository_arn  = "arn:${local.account.partition}:ecr:${local.arn_suffix}:repository/${var.config_path}"
  architecture    = var.architecture
  compute_type    = each.value.compute_type
  privileged      = each.value.privileged
  vpc             = each.value.vpc
  timeout_minutes = each.value.timeout_minutes

  policy_arns          = each.value.policy_arns
  policy_json          = each.value.policy_json
  other_role_arns      = each.value.other_role_arns
  permissions_boundary = var.permissions_boundary
  log_retention_days   = var.log_retention_days
}
