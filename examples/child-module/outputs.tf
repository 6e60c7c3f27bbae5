output "publishers" {
  description = "By project: what to paste into its CI."
  value       = module.pipeline.publishers
}

output "worker_image" {
  description = "Where to push the deployer image before the first build."
  value       = module.pipeline.worker_image
}
