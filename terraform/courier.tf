module "courier" {
  source = "./modules/courier"

  account     = local.account
  config_path = var.config_path
  names       = local.names

  reports_topic_arn = module.notifier.topic_arn
  key_arn           = aws_kms_key.this.arn
  vpc               = var.courier_vpc
  event_bus_arn     = var.event_bus_arn
  broker_arn        = one(module.broker[*].function_arn)

  zip                  = local.zips.notifier
  architecture         = var.architecture
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}
