# What AWS would answer, as far as a test looks at it. The rest is made up by Terraform.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012", arn = "arn:aws:sts::123456789012:assumed-role/terraform/session" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_region" {
  defaults = { id = "eu-central-1" }
}

# Audiences of all the tests of publishers.
mock_data "aws_iam_openid_connect_provider" {
  defaults = {
    client_id_list = ["sts.amazonaws.com", "https://gitlab.com", "https://git.corp.example", "00000000-0000-4000-8000-000000000001", "ari:cloud:bitbucket::workspace/00000000-0000-4000-8000-000000000001", "aws", "api://AzureADTokenExchange"]
  }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws" }
}

mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:some-queue" }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/some-role" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:some-group" }
}

mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:some-function" }
}
