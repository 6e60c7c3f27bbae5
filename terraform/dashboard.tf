# The pipeline at a glance, in CloudWatch. Everything on it is what AWS itself counts of the pipeline's queues, or was said by
# launcher, notifier and courier, in whose logs nobody else can write (modules/project/fence.tf). No build's log is asked: a
# command can print any line.
#
# The metrics in the namespace `iwomp` are of all pipelines in the account and region, as the alarms are; what is asked of a
# log is this pipeline's own.

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  # A dashboard is the whole account's, in all regions, as a role is.
  dashboard_name = "${local.names.iam_prefix}pipeline"
  dashboard_body = jsonencode(local.dashboard)
}

locals {
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  # 24 columns; two or three widgets a row.
  dashboard = {
    start = "-P7D"
    widgets = concat(
      [
        { type = "text", x = 0, y = 0, width = 24, height = 2, properties = { markdown = local.dashboard_heading } },
        { type = "alarm", x = 0, y = 28, width = 24, height = 4, properties = {
          title  = "Alarms"
          alarms = [for name in keys(local.alarms) : "arn:${local.account.partition}:cloudwatch:${local.account.region}:${local.account.id}:alarm:${local.names.prefix}${name}"]
        } },
      ],
      [for widget in local.dashboard_metrics : merge(widget.place, { type = "metric", properties = {
        title   = widget.title
        region  = local.account.region
        view    = "timeSeries"
        stacked = widget.stacked
        period  = widget.period_seconds
        metrics = widget.metrics
      } })],
      [for widget in local.dashboard_queries : merge(widget.place, { type = "log", properties = {
        title  = widget.title
        region = local.account.region
        view   = widget.view
        query  = "SOURCE '${widget.log_group}' | ${join(" | ", widget.steps)}"
      } })],
    )
  }

  dashboard_heading = "## ${var.config_path}\nWhat is live, and of each project: `iwomp status`, `iwomp report`. What an alarm means: docs/operations.md"

  dashboard_metrics = [
    {
      title          = "Deployments by result"
      place          = { x = 0, y = 2, width = 12, height = 6 }
      period_seconds = 3600
      stacked        = true
      metrics        = [for outcome in ["deployed", "failed", "refused", "superseded", "unchanged", "held"] : ["iwomp", "Builds", "outcome", outcome, { stat = "Sum", label = outcome }]]
    },
    {
      title          = "Triggers that ended without a build"
      place          = { x = 12, y = 2, width = 12, height = 6 }
      period_seconds = 3600
      stacked        = true
      # Each is one sample.
      metrics = [for outcome in ["covered", "superseded", "refused", "expired", "failed"] : ["iwomp", "Triggers", "outcome", outcome, { stat = "SampleCount", label = outcome }]]
    },
    {
      title          = "Wait in the queue until a build started, in seconds"
      place          = { x = 0, y = 8, width = 8, height = 6 }
      period_seconds = 3600
      stacked        = false
      metrics        = [for stat in ["p50", "p90", "Maximum"] : ["iwomp", "WaitSeconds", "outcome", "started", { stat = stat, label = stat }]]
    },
    {
      title          = "In the queues"
      place          = { x = 16, y = 8, width = 8, height = 6 }
      period_seconds = 900
      stacked        = false
      metrics = concat(
        [for metric, label in { Waiting = "triggers that wait", Dead = "given up" } : ["iwomp", metric, { stat = "Maximum", label = label }]],
        [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.triggers.name, { stat = "Maximum", label = "age of the oldest, in seconds", yAxis = "right" }]],
      )
    },
    {
      title          = "News by result"
      place          = { x = 12, y = 22, width = 12, height = 6 }
      period_seconds = 3600
      stacked        = true
      metrics        = [for result in ["delivered", "dropped", "waits", "failed"] : ["iwomp", "Notifications", "result", result, { stat = "Sum", label = result }]]
    },
  ]

  dashboard_queries = [
    {
      title     = "How long deployments took, in seconds"
      place     = { x = 8, y = 8, width = 8, height = 6 }
      view      = "timeSeries"
      log_group = module.notifier.log_group
      steps     = ["filter outcome = \"deployed\" and ispresent(took_seconds)", "stats pct(took_seconds, 50) as median, max(took_seconds) as longest by bin(1h)"]
    },
    {
      title     = "Newest builds that ended"
      place     = { x = 0, y = 14, width = 24, height = 8 }
      view      = "table"
      log_group = module.notifier.log_group
      steps = [
        "fields @timestamp, project, branch, outcome, class, commit, took_seconds, rolled_back_by, reason",
        "filter ispresent(build_status)",
        "sort @timestamp desc",
        "limit 25",
      ]
    },
    {
      title     = "Refused triggers by reason"
      place     = { x = 0, y = 22, width = 12, height = 6 }
      view      = "table"
      log_group = module.launcher.log_group
      steps     = ["filter outcome = \"refused\"", "stats count(*) as refusals, max(@timestamp) as newest by class, project", "sort refusals desc", "limit 25"]
    },
  ]
}
