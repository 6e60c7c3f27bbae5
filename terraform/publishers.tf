# What CI is, inside the account: an identity for each project that asks for one. Its only right is to publish on that
# project's own topic, and to see that project's builds where `read` says so.
module "publisher" {
  source   = "./modules/publisher"
  for_each = local.publishers

  topic_arn            = local.project_topic_arns[each.key]
  ci                   = each.value.ci
  issuer_url           = each.value.issuer_url
  provider_arn         = each.value.provider_arn
  audience             = each.value.audience
  subjects             = each.value.subjects
  read                 = each.value.read
  permissions_boundary = var.permissions_boundary
}
