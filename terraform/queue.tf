# Where a trigger waits: while its project is busy, while AWS throttles, while the launcher is broken.

locals {
  # As text, because the two queues name each other.
  triggers_arn = "arn:${local.account.partition}:sqs:${local.arn_suffix}:${local.names.prefix}triggers"

  # 14 days, the most that SQS keeps a message. A dead letter keeps the age that it had as a trigger, so a shorter time here
  # would delete it soon after it died.
  retention_seconds = 1209600

  # The launcher chooses when a trigger that has to wait is tried again. This is the delay where it cannot: it died, or SQS
  # did not take its choice; and the usual one of those that are not next, which so needs no call. Longer than the function's
  # timeout.
  visibility_seconds = max(20, floor(var.retry_seconds / 2))

  # SQS's own count is only a backstop, for messages on which the launcher dies: the launcher itself gives up a trigger after
  # max_wait_seconds. Between two tries lies at least half of retry_seconds; 120 to spare for those that come sooner. Only a
  # trigger of a paused project, which the launcher never gives up, gets here by waiting: after days.
  max_receive_count = ceil(var.max_wait_seconds / (var.retry_seconds / 2)) + 120

  # Exactly the topics that there are. The launcher believes the queue: it takes a project's name from a topic's, so a topic
  # that somebody else made under such a name would be a way to ask for that project's deployment. One by one they fill the
  # policy's 8 KB with about a hundred projects; own_topics_by_prefix says what comes after that, and what it costs.
  shared_topic_arns = var.shared_topic ? [local.topic_arn] : []
  from_our_topics = var.own_topics_by_prefix ? {
    ArnLike = { "aws:SourceArn" = concat(local.shared_topic_arns, ["${local.topic_arn_prefix}*"]) }
    } : {
    ArnEquals = { "aws:SourceArn" = concat(local.shared_topic_arns, sort(values(local.own_topic_arns))) }
  }
}

resource "aws_sqs_queue" "triggers" {
  name = "${local.names.prefix}triggers"

  visibility_timeout_seconds = local.visibility_seconds
  message_retention_seconds  = local.retention_seconds
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = local.max_receive_count
  })

  # Inline, not as aws_sqs_queue_policy: the provider watches each change of a queue for some 25 seconds.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TriggersFromTheTopics"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.triggers_arn
      # Without it any topic of any account could be subscribed to this queue.
      Condition = local.from_our_topics
    }]
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name = "${local.names.prefix}triggers-dead"

  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = true

  # No other queue may use this one, or `iwomp redrive` would feed its messages to the launcher.
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.triggers_arn]
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "UndeliverableFromTheTopics"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "${local.triggers_arn}-dead"
      Condition = local.from_our_topics
    }]
  })
}
