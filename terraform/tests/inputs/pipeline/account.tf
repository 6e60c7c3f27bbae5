# What the pipeline asks AWS for.
locals {
  account    = { id = "123456789012", partition = "aws", region = "eu-central-1" }
  arn_suffix = "${local.account.region}:${local.account.id}"
}
