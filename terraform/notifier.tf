module "notifier" {
  source = "./modules/notifier"

  account     = local.account
  config_path = var.config_path
  names       = local.names

  queue_arn             = aws_sqs_queue.triggers.arn
  queue_url             = aws_sqs_queue.triggers.url
  dead_letter_queue_arn = aws_sqs_queue.dead_letters.arn
  dead_letter_queue_url = aws_sqs_queue.dead_letters.url
  deliveries_queue_arn  = module.courier.queue_arn
  deliveries_queue_url  = module.courier.queue_url
  launcher_log_group    = module.launcher.log_group
  register_keeper_arns  = var.register_keeper_arns
  deployed_records_days = var.deployed_records_days

  zip                  = local.zips.notifier
  architecture         = var.architecture
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}
