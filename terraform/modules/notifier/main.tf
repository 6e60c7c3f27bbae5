# What became of the builds, for people: it looks at builds that ended and says so on the reports' topic. It can start and
# stop nothing, and change nothing but its own marks of how far it has reported; it removes old records of what is live.
#
#   main.tf          the function and its log
#   role.tf          what it may do
#   events.tf        what wakes it, beside the schedule that sweeps (schedules.tf of the root)
#   reports.tf       where it says what it has to say

locals {
  name       = "${var.names.prefix}notifier"
  arn_prefix = "arn:${var.account.partition}"
  arn_suffix = "${var.account.region}:${var.account.id}"

  # As text, because the reports' topic names the roles and the roles the topic.
  role_arn         = "${local.arn_prefix}:iam::${var.account.id}:role/${var.names.iam_prefix}notifier"
  courier_role_arn = "${local.arn_prefix}:iam::${var.account.id}:role/${var.names.iam_prefix}courier"
}

# Before the function: Lambda would make the group itself on the first line, for ever and outside of Terraform.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:One line a build says what happened; traces would be one more right and one more bill.
  #checkov:skip=CKV_AWS_115:A new account has ten concurrent functions in all and can reserve none. One build is one short call.
  #checkov:skip=CKV_AWS_116:An event is only a hint: what it meant to say, the next sweep finds. So nothing is lost with one.
  #checkov:skip=CKV_AWS_117:It talks to AWS's own endpoints only; a VPC would need endpoints or a gateway billed by the hour.
  #checkov:skip=CKV_AWS_173:Its variables are names, not secrets.
  #checkov:skip=CKV_AWS_272:Who applies this builds the zip; the output notifier_sha256 tells what was uploaded.
  function_name = local.name
  description   = "Says what became of each build, and when the register was changed by somebody else"
  role          = aws_iam_role.this.arn

  # A native program: no language runtime to patch, and a start in milliseconds.
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)

  # A sweep looks at every project, some seconds for a hundred of them, and the next one comes after 15 minutes. The default,
  # 3 seconds, would end a sweep in its middle, and the next one in the same place.
  timeout = 240

  environment {
    variables = {
      CONFIGPATH          = var.config_path
      REPORTSTOPICARN     = local.topic_arn
      QUEUEURL            = var.queue_url
      DEADLETTERQUEUEURL  = var.dead_letter_queue_url
      DELIVERIESQUEUEURL  = var.deliveries_queue_url
      REGISTERKEEPERS     = join(",", sort(var.register_keeper_arns))
      DEPLOYEDRECORDSDAYS = var.deployed_records_days
    }
  }

  logging_config {
    # The lines of the platform become JSON too, so that one query finds timeouts and outcomes alike.
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  # A function that runs before it may write its log loses the lines that say why it failed.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.zip)
      error_message = "The notifier's zip is not there: run `make build`, or set notifier_zip."
    }
  }
}
