mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

run "there_is_no_dashboard_unless_one_is_asked_for" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0
    error_message = "A dashboard is billed: nobody may get one unasked."
  }
}

run "a_dashboard_asks_launcher_notifier_courier_and_queues_only" {
  command = plan

  variables {
    dashboard = true
  }

  assert {
    condition     = one(aws_cloudwatch_dashboard.this).dashboard_name == "iwomp-in-aws--eu-central-1--pipeline"
    error_message = "It must be called as what is the pipeline's is: the fence of every project goes by the name."
  }

  assert {
    condition = toset([
      for widget in jsondecode(one(aws_cloudwatch_dashboard.this).dashboard_body).widgets : split("'", widget.properties.query)[1] if widget.type == "log"
    ]) == toset(["/aws/lambda/iwomp-in-aws--launcher", "/aws/lambda/iwomp-in-aws--notifier"])
    error_message = "Of a build's log nothing may be on it: a command can print any line."
  }

  assert {
    condition = toset(flatten([
      for widget in jsondecode(one(aws_cloudwatch_dashboard.this).dashboard_body).widgets : [for metric in widget.properties.metrics : metric[0]] if widget.type == "metric"
    ])) == toset(["iwomp", "AWS/SQS"])
    error_message = "A metric of another namespace may be anybody's."
  }

  assert {
    condition = [
      for widget in jsondecode(one(aws_cloudwatch_dashboard.this).dashboard_body).widgets : toset([for arn in widget.properties.alarms : split(":alarm:", arn)[1]]) if widget.type == "alarm"
    ] == [toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])]
    error_message = "Every alarm must be on it."
  }
}
