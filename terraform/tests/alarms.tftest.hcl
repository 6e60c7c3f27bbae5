mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip  = "versions.tf" # any file: nothing is uploaded
  notifier_zip  = "versions.tf"
  image_tag     = "test"
  alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:on-call"]
}

run "everything_that_somebody_must_know_has_its_alarm" {
  command = plan

  assert {
    condition = keys(aws_cloudwatch_metric_alarm.this) == [
      "builds-failed",
      "dead-letters",
      "deliveries-dead",
      "deliveries-late",
      "hourly-cap",
      "launcher-errors",
      "launcher-throttles",
      "notifier-errors",
      "queue-age",
      "register-changed",
      "schedule-dropped",
      "starts-failing",
      "sweep-missing",
      "triggers-refused",
      "waiting",
    ]
    error_message = "Not the alarms of the design."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this : alltrue([
        alarm.alarm_name == "iwomp-in-aws--${name}",
        alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:on-call"]),
        alarm.ok_actions == toset(["arn:aws:sns:eu-central-1:123456789012:on-call"]),
      ])
    ])
    error_message = "Each must notify when it rings and when it ends."
  }
}

run "an_alarm_says_what_happened_what_to_type_and_where_to_read_on" {
  command = plan

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this : alltrue([
        strcontains(alarm.alarm_description, "docs/operations.md#${name}\n"),
        strcontains(alarm.alarm_description, "1. "),
        length(alarm.alarm_description) <= 1024, # CloudWatch's limit
      ])
    ])
    error_message = "Whoever is woken up must be told what to do."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.this["dead-letters"].alarm_description, "iwomp redrive")
    error_message = "The alarm must say what to do."
  }
}

run "the_longest_names_fit_into_a_description" {
  command = plan

  variables {
    config_path = "a-pipeline-with-a-32-letter-name"
  }

  assert {
    condition     = max([for alarm in values(aws_cloudwatch_metric_alarm.this) : length(alarm.alarm_description)]...) <= 1024
    error_message = "CloudWatch takes 1024 characters."
  }
}

run "one_dead_letter_rings" {
  command = plan

  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.this["dead-letters"].metric_name == "ApproximateNumberOfMessagesVisible",
      aws_cloudwatch_metric_alarm.this["dead-letters"].dimensions == tomap({ QueueName = "iwomp-in-aws--triggers-dead" }),
      aws_cloudwatch_metric_alarm.this["dead-letters"].threshold == 0,
      aws_cloudwatch_metric_alarm.this["dead-letters"].comparison_operator == "GreaterThanThreshold",
    ])
    error_message = "A single dead letter must raise the alarm."
  }
}

run "the_waiting_alarm_leaves_time_for_two_of_the_longest_builds" {
  command = plan

  variables {
    projects = {
      quick = { git_url = "https://git.example/quick.git", command = "deploy.sh", timeout_minutes = 5 }
      slow  = { git_url = "https://git.example/slow.git", command = "deploy.sh", timeout_minutes = 120 }
    }
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.this["waiting"].namespace == "iwomp",
      aws_cloudwatch_metric_alarm.this["waiting"].metric_name == "WaitSeconds",
      aws_cloudwatch_metric_alarm.this["waiting"].dimensions == tomap({ outcome = "busy" }),
      aws_cloudwatch_metric_alarm.this["waiting"].statistic == "Maximum",
      aws_cloudwatch_metric_alarm.this["waiting"].threshold == 4 * 60 * 60,
    ])
    error_message = "With builds of up to two hours a trigger may wait four."
  }
}

run "a_queue_that_nobody_empties_rings_and_long_delays_do_not" {
  command = plan

  variables {
    retry_seconds = 3600
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-age"].threshold == 25200
    error_message = "With an hour between tries, an hour is no age."
  }
}

run "a_quarter_of_an_hour_is_the_age_for_delays_of_minutes" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-age"].threshold == 900
    error_message = "Nobody takes the triggers, and nobody is told."
  }
}

run "what_does_not_happen_rings_too" {
  command = plan

  assert {
    condition = {
      for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.comparison_operator if alarm.treat_missing_data == "breaching"
    } == { sweep-missing = "LessThanThreshold" }
    error_message = "A sweep that is not there must ring, and quiet must not."
  }
}

run "a_handful_of_refused_triggers_wakes_nobody" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["triggers-refused"].threshold == 20 && aws_cloudwatch_metric_alarm.this["triggers-refused"].dimensions == tomap({ outcome = "refused" })
    error_message = "Twenty in five minutes are a flood."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["hourly-cap"].dimensions == tomap({ outcome = "busy", class = "hourly_cap" })
    error_message = "The cap is a class of busy."
  }
}

run "no_alarm_of_ours_can_be_lowered_by_a_further_number" {
  command = plan

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.this : contains(["Maximum", "SampleCount"], alarm.statistic)
      if alarm.namespace == "iwomp" && alarm.comparison_operator == "GreaterThanThreshold"
    ])
    error_message = "A sum goes down with a negative number, whoever adds it."
  }
}
