# Descriptions are what somebody reads who was woken up: what happened, and what to type.

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name        = "${var.config_path}-dead-letters"
  alarm_description = <<-TEXT
    A deployment was asked for and not started, after ${var.max_tries} tries ${var.retry_seconds} seconds apart.
    1. Why: the lines with "outcome":"busy" or "failed" in ${module.launcher.log_group}.
    2. Mend it, then send the triggers through the same checks again: make redrive
    Doing nothing loses them ${local.retention_seconds / 86400} days after they were published.
  TEXT

  namespace   = "AWS/SQS"
  metric_name = "ApproximateNumberOfMessagesVisible"
  dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }

  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # SQS stops reporting a queue that nobody uses.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
}

# Dead letters come max_tries × retry_seconds after the first failure, by default half a day: too late to learn that the
# launcher cannot start anything at all.
resource "aws_cloudwatch_metric_alarm" "waiting" {
  alarm_name        = "${var.config_path}-waiting"
  alarm_description = <<-TEXT
    For ${local.longest_wait_seconds / 60} minutes some trigger was waiting in every 5 minutes: one is stuck, or there is too much to do.
    1. Why: the lines with "outcome":"busy" or "failed" in ${module.launcher.log_group}.
    2. Nothing is lost yet. A trigger is tried again every ${var.retry_seconds} seconds.
  TEXT

  # A waiting trigger is in flight nearly all the time: received, and hidden until its next try. The age of the oldest
  # message would not do, because SQS leaves out of it what was received three times.
  namespace   = "AWS/SQS"
  metric_name = "ApproximateNumberOfMessagesNotVisible"
  dimensions  = { QueueName = aws_sqs_queue.triggers.name }

  statistic           = "Maximum"
  period              = local.waiting_period_seconds
  evaluation_periods  = ceil(local.longest_wait_seconds / local.waiting_period_seconds)
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions
}

locals {
  waiting_period_seconds = 300

  # Two of the longest builds. At least an hour: with quick builds only, a short throttling would already raise the alarm.
  longest_wait_seconds = max(3600, [for project in values(var.projects) : 2 * 60 * project.timeout_minutes]...)
}
