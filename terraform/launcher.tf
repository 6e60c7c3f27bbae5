module "launcher" {
  source = "./modules/launcher"

  account     = local.account
  config_path = var.config_path
  topic_arn   = local.topic_arn
  queue_arn   = aws_sqs_queue.triggers.arn

  zip                  = coalesce(var.launcher_zip, "${path.module}/../target/lambda/launcher/bootstrap.zip")
  architecture         = var.architecture
  maximum_concurrency  = var.launcher_concurrency
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}
