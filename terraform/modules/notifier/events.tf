# What wakes the notifier. Both rules are on the account's default bus, where AWS's own services speak; their source, aws.*,
# cannot be forged by PutEvents. Delivery is best effort, so the sweep does not rely on it.

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.names.prefix}${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
}

resource "aws_cloudwatch_event_target" "notifier" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "notifier"
  arn       = aws_lambda_function.this.arn

  # EventBridge only hands the event over; its default is to try that for a day. By then four sweeps an hour have told more.
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 20
  }

  depends_on = [aws_lambda_permission.events]
}

resource "aws_lambda_permission" "events" {
  for_each = local.rules

  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  # Without it any rule of any account could call the function.
  source_arn = "${local.arn_prefix}:events:${local.arn_suffix}:rule/${var.names.prefix}${each.key}"
}

# Of a trigger that waits, or ends without a build, nobody learns but from the launcher's log.
resource "aws_cloudwatch_log_subscription_filter" "launcher" {
  name            = "${var.names.prefix}launcher-log"
  log_group_name  = var.launcher_log_group
  destination_arn = aws_lambda_function.this.arn
  # Who has waited for a minute, and not who does so for long, and what a build does not answer. The notifier looks closely.
  filter_pattern = "{ ($.fate = \"waits\" && $.WaitSeconds >= 60 && $.WaitSeconds < 360) || ($.fate = \"*\" && $.fate != \"waits\" && $.outcome != \"started\") }"

  depends_on = [aws_lambda_permission.logs]
}

resource "aws_lambda_permission" "logs" {
  statement_id   = "launcher-log"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "logs.amazonaws.com"
  source_account = var.account.id
  source_arn     = "${local.arn_prefix}:logs:${local.arn_suffix}:log-group:${var.launcher_log_group}:*"
}

locals {
  rules = {
    build-changed = {
      description = "A build of ${var.config_path} began, or ended, however it ended"
      pattern = {
        source      = ["aws.codebuild"]
        detail-type = ["CodeBuild Build State Change"]
        detail = {
          build-status = ["IN_PROGRESS", "FAILED", "FAULT", "STOPPED", "SUCCEEDED", "TIMED_OUT"]
          project-name = [{ prefix = var.names.prefix }]
        }
      }
    }

    # These events exist only where the account has a CloudTrail trail for management events. Parameter Store's own events come
    # without one, but do not say who did it.
    register-changed = {
      description = "Somebody changed a register entry of ${var.config_path}"
      pattern = {
        source      = ["aws.ssm"]
        detail-type = ["AWS API Call via CloudTrail"]
        detail = {
          eventSource = ["ssm.amazonaws.com"]
          eventName   = ["DeleteParameter", "DeleteParameters", "PutParameter"]
          # What was denied changed nothing, and is in CloudTrail all the same.
          errorCode = [{ exists = false }]
          # DeleteParameters takes several names. What stands before the path may be a slash, or an ARN: the notifier looks
          # closely, and this only keeps from it what cannot be meant, its own marks among that.
          "$or" = [
            { requestParameters = { name = [{ wildcard = "*${var.config_path}/*" }] } },
            { requestParameters = { names = [{ wildcard = "*${var.config_path}/*" }] } },
          ]
        }
      }
    }
  }
}
