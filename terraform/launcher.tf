module "launcher" {
  source = "./modules/launcher"

  account     = local.account
  config_path = var.config_path
  names       = local.names
  topic_arn   = local.topic_arn

  queue_arn             = aws_sqs_queue.triggers.arn
  queue_url             = aws_sqs_queue.triggers.url
  dead_letter_queue_arn = aws_sqs_queue.dead_letters.arn
  dead_letter_queue_url = aws_sqs_queue.dead_letters.url

  retry_seconds      = var.retry_seconds
  visibility_seconds = local.visibility_seconds
  max_wait_seconds   = var.max_wait_seconds
  builds_per_hour    = var.builds_per_hour

  zip                  = local.zips.launcher
  architecture         = var.architecture
  maximum_concurrency  = var.launcher_concurrency
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}
