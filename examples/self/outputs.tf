output "deploy_role_arn" {
  description = "The project's deploy_role_arn."
  value       = local.role_arn
}

output "permissions_boundary" {
  description = "The pipeline's permissions_boundary."
  value       = aws_iam_policy.ceiling.arn
}
