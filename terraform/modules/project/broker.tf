# By which this project's tokens of the GitHub App are asked for: the broker knows by the alias alone for whom one is.

resource "aws_lambda_alias" "broker" {
  for_each = local.token_purposes

  name          = "${each.key}-${var.name}"
  description   = each.value
  function_name = var.broker_function
  # The program that is there: Terraform publishes no versions of it.
  function_version = "$LATEST"
}

locals {
  uses_app = var.github_app == true

  token_purposes = {
    for purpose, description in {
      fetch  = "To read the files of ${var.name}: for its builds"
      notify = "To tell of deployments of ${var.name}: for the courier"
    } : purpose => description if local.uses_app # whom to tell may stand in _default
  }

  broker_arn    = "${local.arn_prefix}:lambda:${local.arn_suffix}:function:${var.names.prefix}broker"
  own_alias_arn = "${local.broker_arn}:fetch-${var.name}"
}
