# One output and not one a value: Terraform compares each output of each project with those of all the others.
output "made" {
  description = "What is the project's: names of its CodeBuild project, of the log group of its builds, of its register entry (which somebody else writes if the register is external) and of the parameter of its Git credentials (whether or not there is one); ARNs of the role that builds have and of the boundary that every role and user must carry that a deployment makes; the IAM path under which a deployment makes its roles, users and policies; how many minutes a build may take."
  value = {
    build_project         = local.full_name
    role_arn              = local.role_arn
    log_group             = local.log_group
    register_parameter    = local.register_parameter
    credentials_parameter = local.credentials_parameter
    timeout_minutes       = var.timeout_minutes
    boundary_arn          = local.boundary_arn
    identity_path         = local.own_path
  }

  # Which comes after all the rest that is named here.
  depends_on = [aws_codebuild_project.this]
}
