output "roles" {
  description = "By project: the ARN that its deploy role has to trust."
  value       = { for name, project in module.pipeline.projects : name => project.role_arn }
}

output "publishers" {
  description = "By project: what to paste into its CI."
  value       = module.pipeline.publishers
}
