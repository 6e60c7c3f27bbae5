# Makes tokens of a GitHub App, each for one project's repository. Whoever may call an alias of it gets the tokens of that alias:
# which project and which rights, the program takes from the alias alone. The aliases are in modules/project.
#
#   main.tf          the function and its log
#   role.tf          what it may do

locals {
  name       = "${var.names.prefix}broker"
  arn_prefix = "arn:${var.account.partition}"
  arn_suffix = "${var.account.region}:${var.account.id}"
}

# Before the function: Lambda would make the group itself on the first line, for ever and outside of Terraform.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:One line a call says what happened; traces would be one more right and one more bill.
  #checkov:skip=CKV_AWS_115:A new account has ten concurrent functions in all and can reserve none: broker_concurrency can.
  #checkov:skip=CKV_AWS_116:Whoever calls it waits for the answer; one who does not gets none, and nothing is lost.
  #checkov:skip=CKV_AWS_117:It talks to GitHub; in a VPC it would need a NAT gateway, billed by the hour.
  #checkov:skip=CKV_AWS_173:Its variables are names, not secrets.
  #checkov:skip=CKV_AWS_272:Who applies this builds the zip; the output broker_sha256 tells what was uploaded.
  function_name = local.name
  description   = "Makes tokens of the GitHub App, by the alias of a project and a purpose"
  role          = aws_iam_role.this.arn

  # A native program: no language runtime to patch, and a start in milliseconds.
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)

  # Two requests to GitHub, of 15 s at most, and two to AWS. A build waits for 45 s.
  timeout = 40

  reserved_concurrent_executions = coalesce(var.concurrency, -1) # -1 is none

  environment {
    variables = merge(
      {
        CONFIGPATH = var.config_path
        APPID      = var.github_app.app_id
        APPKEYARN  = var.github_app.key
        APIURL     = var.github_app.api_url
      },
      { for bundle in var.github_app.ca_bundle[*] : "CABUNDLE" => bundle },
    )
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  # A function that runs before it may write its log loses the lines that say why it failed.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.zip)
      error_message = "The broker's zip is not there: run `make build`, or set broker_zip."
    }
  }
}
