# What happens by the clock: the notifier's sweep, and for projects that want it a trigger as CI would send it. A scheduled
# trigger has no more rights than any other: it goes through the same checks, and waits in the same queue.

resource "aws_scheduler_schedule_group" "this" {
  name = var.config_path
}

resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:With a key of ours the scheduler would need rights on it. The input holds no secret.
  name        = "sweep"
  group_name  = aws_scheduler_schedule_group.this.name
  description = "Looks for builds whose end was not reported, and counts what waits"

  schedule_expression = "rate(15 minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.notifier.function_arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ sweep = true })

    # The default goes on for a day, when dozens of sweeps have come after this one.
    retry_policy {
      maximum_event_age_in_seconds = 600
      maximum_retry_attempts       = 3
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

resource "aws_scheduler_schedule" "project" {
  #checkov:skip=CKV_AWS_297:With a key of ours the scheduler would need rights on it. The input holds no secret.
  for_each = local.schedules

  name        = each.value.name
  group_name  = aws_scheduler_schedule_group.this.name
  description = "Deploys ${each.value.branch} of ${each.value.project}"

  schedule_expression = each.value.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.project_topic_arns[each.value.project]
    role_arn = aws_iam_role.scheduler.arn
    input    = each.value.message

    # The default goes on for a day: a deployment that was meant for the night would then start in the middle of the next day.
    # What is given up is counted in AWS/Scheduler, InvocationDroppedCount, which raises the alarm `schedule-dropped`.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 60
    }
  }

  # The first run may come at once.
  depends_on = [aws_iam_role_policy.scheduler, module.shared_topic, module.own_topic]
}

resource "aws_iam_role" "scheduler" {
  name                 = "${local.names.iam_prefix}scheduler"
  description          = "Schedules of the deployment pipeline ${var.config_path}"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SchedulesOfThisGroup"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Without these a schedule of any account that is given this role could use it. The source that Scheduler names is the
      # group, never a single schedule.
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account.id }
        ArnEquals    = { "aws:SourceArn" = "arn:${local.account.partition}:scheduler:${local.arn_suffix}:schedule-group/${var.config_path}" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "scheduler"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Sweep"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = module.notifier.function_arn
      }],
      [for arns in [local.scheduled_topic_arns] : {
        Sid      = "AskForScheduledDeployments"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = arns
      } if length(arns) > 0],
    )
  })

  lifecycle {
    precondition {
      condition     = length(join("','", local.scheduled_topic_arns)) <= 9900
      error_message = "The scheduler's role can name only about a hundred topics (IAM takes 10240 characters), and more projects have both own_topic and a schedule."
    }
  }
}

locals {
  # One for each whole branch name; prefixes name no branch.
  schedules = merge([
    for name, project in local.projects : {
      for branch in distinct([for branch in coalesce(project.branches, []) : branch if !endswith(branch, "/*")]) :
      "${name}/${branch}" => {
        project    = name
        branch     = branch
        expression = project.schedule
        # Scheduler takes 64 of these characters and no other. No project's name has a dot in it, and no branch starts with one.
        name = can(regex("^[A-Za-z0-9._-]{1,64}$", "${name}.${branch}")) ? "${name}.${branch}" : join("..", [
          substr(name, 0, 46),
          substr(sha256("${name}/${branch}"), 0, 16),
        ])
        # A project's own topic already says which project is meant.
        message = jsonencode(project.own_topic ? { branch = branch } : { project = name, branch = branch })
      }
    } if project.schedule != null
  ]...)

  scheduled_topic_arns = sort(distinct([for schedule in values(local.schedules) : local.project_topic_arns[schedule.project]]))
}
