# Only where there is a GitHub App: without one, none of this is made.
module "broker" {
  source = "./modules/broker"
  count  = var.github_app == null ? 0 : 1

  account     = local.account
  config_path = var.config_path
  names       = local.names

  github_app = var.github_app
  # It asks the host that the courier asks.
  vpc = var.courier_vpc

  zip                  = local.zips.broker
  architecture         = var.architecture
  concurrency          = var.broker_concurrency
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
}
