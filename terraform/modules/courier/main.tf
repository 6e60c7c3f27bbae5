# Carries news of deployments to whom a project's entry names: Git hosts, chats, webhooks. Of all parts only this one has the
# secrets of those targets, and only this one talks to other hosts. Nobody waits for it: it can neither keep nor fail a deployment.
#
#   main.tf          the queue, the function and its log
#   role.tf          what it may do

locals {
  name       = "${var.names.prefix}courier"
  arn_prefix = "arn:${var.account.partition}"
  arn_suffix = "${var.account.region}:${var.account.id}"

  queue_arn   = "${local.arn_prefix}:sqs:${local.arn_suffix}:${var.names.prefix}deliveries.fifo"
  console_url = "https://${var.account.region}.console.${lookup({ aws-cn = "amazonaws.cn", aws-us-gov = "amazonaws-us-gov.com" }, var.account.partition, "aws.amazon.com")}/codesuite/codebuild/${var.account.id}/projects"
}

# FIFO: what is news of one project goes in its order, so that no older state of a commit replaces a newer one; and what comes twice
# within five minutes is one, which is also what keeps a flood of refusals to a few messages.
resource "aws_sqs_queue" "deliveries" {
  name                    = "${var.names.prefix}deliveries.fifo"
  fifo_queue              = true
  deduplication_scope     = "messageGroup"
  fifo_throughput_limit   = "perMessageGroupId"
  sqs_managed_sse_enabled = true

  # Three times the function's timeout; the courier says itself when it tries again.
  visibility_timeout_seconds = 180
  # A deployment of four days ago is no news.
  message_retention_seconds = 345600

  # Of what lies here, the courier speaks on the reports' topic and with the targets' tokens: as there, nobody else may.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyNotifierAndCourierHandOver"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:SendMessage"
      Resource  = local.queue_arn
      Condition = { ArnNotEquals = { "aws:PrincipalArn" = [for name in ["notifier", "courier"] : "${local.arn_prefix}:iam::${var.account.id}:role/${var.names.iam_prefix}${name}"] } }
    }]
  })

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    # More than an hour, with the pauses that the courier makes: its MAX_TRIES.
    maxReceiveCount = 10
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.names.prefix}deliveries-dead.fifo"
  fifo_queue                = true
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600

  redrive_allow_policy = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [local.queue_arn] })
}

# Before the function: Lambda would make the group itself on the first line, for ever and outside of Terraform.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:One line a delivery says what happened; traces would be one more right and one more bill.
  #checkov:skip=CKV_AWS_115:A new account has ten concurrent functions in all and can reserve none. The mapping has its own bound.
  #checkov:skip=CKV_AWS_116:It is called by a queue, which has a dead-letter queue of its own.
  #checkov:skip=CKV_AWS_117:It talks to hosts of the internet; in a VPC it would need a NAT gateway, billed by the hour.
  #checkov:skip=CKV_AWS_173:Its variables are names, not secrets.
  #checkov:skip=CKV_AWS_272:Who applies this builds the zip; the output notifier_sha256 tells what was uploaded.
  function_name = local.name
  description   = "Carries news of deployments to the targets of a project's entry"
  role          = aws_iam_role.this.arn

  # The notifier's program, which does this where FUNCTION says so.
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)

  # Some requests to another host, 40 s at most, and some to AWS.
  timeout = 60

  environment {
    variables = merge(
      {
        FUNCTION           = "courier"
        CONFIGPATH         = var.config_path
        REPORTSTOPICARN    = var.reports_topic_arn
        QUEUEURL           = aws_sqs_queue.deliveries.url
        DEADLETTERQUEUEURL = aws_sqs_queue.dead.url
        CONSOLEURL         = local.console_url
      },
      { for arn in var.event_bus_arn[*] : "EVENTBUSARN" => arn },
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
}

resource "aws_lambda_event_source_mapping" "deliveries" {
  function_name           = aws_lambda_function.this.arn
  event_source_arn        = aws_sqs_queue.deliveries.arn
  function_response_types = ["ReportBatchItemFailures"]

  # One at a time: while a host does not answer, others have the other places.
  batch_size = 1

  scaling_config {
    maximum_concurrency = 4
  }
}
