output "build_project" {
  description = "Name of the CodeBuild project."
  value       = aws_codebuild_project.this.name
}

output "role_arn" {
  description = "ARN of the role that builds have."
  value       = aws_iam_role.this.arn
}

output "log_group" {
  description = "Name of the log group of the builds."
  value       = aws_cloudwatch_log_group.this.name
}

output "register_parameter" {
  description = "Name of the register entry, which somebody else writes if the register is external."
  value       = local.register_parameter
}

output "credentials_parameter" {
  description = "Name of the parameter of the Git credentials, whether or not there is one."
  value       = local.credentials_parameter
}

output "timeout_minutes" {
  description = "How long a build may take."
  value       = var.timeout_minutes
}

output "boundary_arn" {
  description = "ARN of the permissions boundary that every role and user must carry that a deployment makes."
  value       = aws_iam_policy.boundary.arn
}

output "identity_path" {
  description = "IAM path under which a deployment makes its roles, users and policies."
  value       = local.own_path
}
