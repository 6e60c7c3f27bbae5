# The account's trust in an issuer of OpenID Connect tokens: one for each issuer, for everybody in the account who trusts it.

resource "aws_iam_openid_connect_provider" "this" {
  url            = var.issuer_url
  client_id_list = var.audiences

  # Every role that trusts this issuer, of whichever pipeline or team, would refuse its jobs from then on.
  lifecycle {
    prevent_destroy = true
  }
}
