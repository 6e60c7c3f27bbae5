output "publishers" {
  description = "By project: what to paste into its CI."
  value       = module.pipeline.publishers
}

output "repository_url" {
  description = "Where to push the deployer image before the first build."
  value       = module.pipeline.repository_url
}
