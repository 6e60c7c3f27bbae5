# Descriptions are what somebody reads who was woken up: what happened, and what to type. Each has a paragraph in
# docs/operations.md with the alarm's own name as its heading.

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${local.names.prefix}${each.key}"
  alarm_description = "${each.value.description}Read more: docs/operations.md#${each.key}\n"

  namespace   = each.value.namespace
  metric_name = each.value.metric
  dimensions  = each.value.dimensions
  statistic   = each.value.statistic

  period              = each.value.period_seconds
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  # Nothing to count is good news, except for what has to be there.
  treat_missing_data = each.value.missing

  alarm_actions = var.alarm_actions
  ok_actions    = var.alarm_actions

  # Else the first sweep could be missing before anything was there to sweep.
  depends_on = [aws_scheduler_schedule.sweep]
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters
  to   = aws_cloudwatch_metric_alarm.this["dead-letters"]
}

moved {
  from = aws_cloudwatch_metric_alarm.waiting
  to   = aws_cloudwatch_metric_alarm.this["waiting"]
}

locals {
  # Two of the longest builds. At least an hour: with quick builds only, a short throttling would already raise the alarm.
  longest_wait_seconds = max(3600, [for project in values(module.project) : 2 * 60 * project.timeout_minutes]...)

  longest_waiting = join(" ", var.max_wait_seconds % 3600 == 0 ? [var.max_wait_seconds / 3600, "h"] : [floor(var.max_wait_seconds / 60), "min"])

  # SQS measures the age of the oldest message that was not received more than three times. The delays after those three add
  # up to three times retry_seconds at most; to seven times it for a paused project, whose triggers are to ring by `waiting`
  # only.
  oldest_seconds = max(900, 7 * var.retry_seconds)

  # Several tries, not one that happened to fail.
  failing_seconds = max(900, var.retry_seconds)

  # All but what an alarm says otherwise: more than nothing, in five minutes.
  alarm_defaults = {
    namespace      = "iwomp"
    dimensions     = {}
    statistic      = "Sum"
    period_seconds = 300
    periods        = 1
    comparison     = "GreaterThanThreshold"
    threshold      = 0
    missing        = "notBreaching"
  }

  alarms = { for name, alarm in {
    dead-letters = {
      description = <<-TEXT
        A deployment was asked for and given up: it waited for over ${local.longest_waiting}, or no try could have helped.
        1. Why: the lines with "outcome":"expired" or "failed" in ${module.launcher.log_group}.
        2. Mend it, then send the triggers through the same checks again: iwomp redrive
        Doing nothing loses them ${local.retention_seconds / 86400} days after they were published.
      TEXT
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
      statistic   = "Maximum"
      # SQS stops reporting a queue that nobody uses.
      period_seconds = 60
    }

    deliveries-dead = {
      description = <<-TEXT
        News of a deployment did not reach a target: a host has not taken them for long, or never will.
        1. Which, and why: the lines with "result":"failed" or "waits" in ${module.courier.log_group}.
        2. Mend the target's secret or the entry's notify. The next news go through.
        3. What lies there is no news any more: aws sqs purge-queue --region ${local.account.region} --queue-url ${module.courier.dead_letter_queue_url}
        No deployment waits for this.
      TEXT
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = module.courier.dead_letter_queue_name }
      statistic   = "Maximum"
      # SQS stops reporting a queue that nobody uses.
      period_seconds = 60
    }

    deliveries-late = {
      description = <<-TEXT
        For over three hours news of deployments have not been delivered: a host is down for long, or the courier does not run.
        1. Is the mapping enabled? aws lambda list-event-source-mappings --region ${local.account.region} --function-name ${module.courier.function_name}
        2. Which target, and why: the lines with "result":"waits" in ${module.courier.log_group}.
        After four days they are lost. No deployment waits for this.
      TEXT
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = module.courier.queue_name }
      statistic   = "Maximum"
      threshold   = 10800
    }

    waiting = {
      description = <<-TEXT
        A trigger has waited for over ${local.longest_wait_seconds / 60} minutes: its project is paused, builds for long, or cannot start.
        1. Which, and for what: the lines with "outcome":"busy" in ${module.launcher.log_group}.
        2. If it is paused and need not be: iwomp resume PROJECT; if a build hangs: iwomp stop PROJECT
        3. If the class is account_limit: raise CodeBuild's quota of concurrently running builds.
        Nothing is lost yet. After ${local.longest_waiting} it becomes a dead letter.
      TEXT
      metric      = "WaitSeconds"
      dimensions  = { outcome = "busy" }
      statistic   = "Maximum"
      threshold   = local.longest_wait_seconds
    }

    starts-failing = {
      description = <<-TEXT
        A trigger has met errors for over ${floor(local.failing_seconds / 60)} minutes: AWS throttles, does not answer, or forbids it.
        1. Which: the lines with "outcome":"failed" in ${module.launcher.log_group}; the reason says what to do.
        2. Is it AWS? https://health.aws.amazon.com/health/status
        Nothing is lost: it is tried again, or lies in the dead-letter queue.
      TEXT
      metric      = "WaitSeconds"
      dimensions  = { outcome = "failed" }
      statistic   = "Maximum"
      threshold   = local.failing_seconds
    }

    queue-age = {
      description = <<-TEXT
        For over ${floor(local.oldest_seconds / 60)} minutes nobody has taken the triggers out of the queue.
        1. Is the mapping enabled? aws lambda list-event-source-mappings --region ${local.account.region} --function-name ${module.launcher.function_name}
        2. Does the launcher run? Its log: ${module.launcher.log_group}.
        Nothing is lost: triggers wait for up to ${local.retention_seconds / 86400} days.
      TEXT
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.triggers.name }
      statistic   = "Maximum"
      threshold   = local.oldest_seconds
    }

    launcher-errors = {
      description = <<-TEXT
        The launcher crashed or ran out of time in each of the last three five minutes. Its triggers come back by themselves.
        1. Why: the last lines of ${module.launcher.log_group}; "status":"timeout" means that AWS answered slowly.
        2. If a new zip is to blame, apply the one before: terraform apply -var launcher_zip=...
      TEXT
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = module.launcher.function_name }
      periods     = 3
    }

    launcher-throttles = {
      description = <<-TEXT
        Lambda has refused to run the launcher for a quarter of an hour: other functions use up the account's concurrency.
        1. How much there is: aws lambda get-account-settings --region ${local.account.region}
        2. Ask AWS for more, or bound what uses it up. Triggers wait meanwhile; nothing is lost.
      TEXT
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = module.launcher.function_name }
      periods     = 3
    }

    notifier-errors = {
      description = <<-TEXT
        The notifier fails again and again: what became of builds is not reported. Deployments go on all the same.
        1. Why: the last lines of ${module.notifier.log_group}.
        2. Until it is mended: iwomp status
        3. Were entries of the register changed meanwhile? CloudTrail knows; the notifier may not have seen it.
      TEXT
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = module.notifier.function_name }
      # A sweep that fails is tried three times by Lambda, and the next one comes after 15 minutes.
      period_seconds = 900
      periods        = 2
    }

    builds-failed = {
      description = <<-TEXT
        A deployment failed.
        1. Which: the lines with "outcome":"failed" in ${module.notifier.log_group}, or the report.
        2. Why: iwomp logs PROJECT
        3. Mend it and push, or publish a trigger again. What was live before is still recorded as live.
      TEXT
      metric      = "Builds"
      dimensions  = { outcome = "failed" }
      # Not the sum, here and below: whoever got to count in our name could end an alarm with a negative number.
      statistic = "Maximum"
    }

    triggers-refused = {
      description = <<-TEXT
        More than 20 triggers were refused within five minutes: a CI is set up wrongly, or somebody tries a stolen key.
        1. By which rule: the lines with "outcome":"refused" in ${module.launcher.log_group}.
        2. If it is nobody you know, take the right to publish away from that CI and give it a new key.
        Nothing was started for them.
      TEXT
      metric      = "Triggers"
      dimensions  = { outcome = "refused" }
      statistic   = "SampleCount" # each is one sample
      threshold   = 20
    }

    hourly-cap = {
      description = <<-TEXT
        A project has had ${var.builds_per_hour} builds within an hour; its further triggers wait.
        1. Which: the lines with "class":"hourly_cap" in ${module.launcher.log_group}.
        2. If its CI runs wild, or it is not its CI: iwomp pause PROJECT
        3. If that is how it should be: raise builds_per_hour.
      TEXT
      metric      = "Triggers"
      dimensions  = { outcome = "busy", class = "hourly_cap" }
      statistic   = "Maximum"
    }

    register-changed = {
      description = <<-TEXT
        Somebody who is not in register_keeper_arns wrote or deleted an entry of the register, which says what is run.
        1. Who and what: the lines of ${module.notifier.log_group} with the principal, or the report.
        2. If it was not one of you: iwomp pause PROJECT, then put the entry back with terraform apply, or from its history:
           aws ssm get-parameter-history --region ${local.account.region} --name /${var.config_path}/...
      TEXT
      metric      = "RegisterChanges"
      statistic   = "Maximum"
    }

    sweep-missing = {
      description    = <<-TEXT
        For an hour the notifier has not looked over the pipeline: nobody watches now, and reports may be missing.
        1. Does it fail? The last lines of ${module.notifier.log_group}.
        2. Is its schedule there, and enabled? aws scheduler get-schedule --region ${local.account.region} --group-name ${var.config_path} --name sweep
        Just after the first deployment this rings once; the first sweep ends it.
      TEXT
      metric         = "Sweeps"
      period_seconds = 3600
      comparison     = "LessThanThreshold"
      threshold      = 1
      missing        = "breaching"
    }

    schedule-dropped = {
      description = <<-TEXT
        A schedule could not reach its target for an hour and gave up: a deployment by the clock, or a sweep, did not happen.
        1. Which: aws scheduler list-schedules --region ${local.account.region} --group-name ${var.config_path}, and when they should have run.
        2. May the role ${aws_iam_role.scheduler.name} still publish on that topic? terraform plan shows what was changed by hand.
        3. Make up for it: iwomp trigger PROJECT BRANCH
      TEXT
      namespace   = "AWS/Scheduler"
      metric      = "InvocationDroppedCount"
      dimensions  = { ScheduleGroup = aws_scheduler_schedule_group.this.name }
    }
  } : name => merge(local.alarm_defaults, alarm) }
}
