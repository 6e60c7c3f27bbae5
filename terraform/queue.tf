# Where a trigger waits: while its project is busy, while AWS throttles, while the launcher is broken.

locals {
  # As text, because the two queues name each other.
  triggers_arn = "arn:${local.account.partition}:sqs:${local.arn_suffix}:${var.config_path}-triggers"

  # 14 days, the most that SQS keeps a message. A dead letter keeps the age that it had as a trigger, so a shorter time here
  # would delete it soon after it died.
  retention_seconds = 1209600
}

resource "aws_sqs_queue" "triggers" {
  name = "${var.config_path}-triggers"

  # The delay until a trigger that found its project busy is tried again.
  visibility_timeout_seconds = var.retry_seconds
  message_retention_seconds  = local.retention_seconds
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_tries
  })

  # Inline, not as aws_sqs_queue_policy: the provider watches each change of a queue for some 25 seconds.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TriggersFromTheTopic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.triggers_arn
      # Without it any topic of any account could be subscribed to this queue.
      Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.this.arn } }
    }]
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name = "${var.config_path}-triggers-dead"

  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = true

  # No other queue may use this one, or `make redrive` would feed its messages to the launcher.
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.triggers_arn]
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "UndeliverableFromTheTopic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "${local.triggers_arn}-dead"
      Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.this.arn } }
    }]
  })
}
