# One registered project: its register entry, its credentials, its build, its role. Nothing in here names another project.
#
#   register.tf      what is deployed, and with what it is fetched
#   build.tf         the CodeBuild project and its log
#   role.tf          what a build may do

locals {
  full_name  = "${var.names.prefix}${var.name}"
  arn_prefix = "arn:${var.account.partition}"
  arn_suffix = "${var.account.region}:${var.account.id}"

  register_parameter    = "${var.names.parameters.register}/${var.name}"
  credentials_parameter = "${var.names.parameters.credentials}/${var.name}"
  seen_parameter        = "${var.names.parameters.deployed}/${var.name}"
  deployed_parameters   = "${local.seen_parameter}/*"

  parameter_arn_prefix = "${local.arn_prefix}:ssm:${local.arn_suffix}:parameter"
  build_project_arn    = "${local.arn_prefix}:codebuild:${local.arn_suffix}:project/${local.full_name}"

  # IAM takes 64 characters. The hash keeps two long names apart that differ only behind the cut, which is behind the prefix.
  full_role_name = "${var.names.iam_prefix}${var.name}"
  role_name = length(local.full_role_name) <= 64 ? local.full_role_name : join("-", [
    substr(local.full_role_name, 0, 55),
    substr(sha256(local.full_role_name), 0, 8),
  ])
}
