mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"

  projects = {
    shop  = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, branches = ["main", "release/1", "hotfix/*"], schedule = "rate(6 hours)" }
    site  = { git_url = "https://git.example/site.git", command = "deploy.sh", branches = ["main", "main"], schedule = "cron(0 3 * * ? *)" }
    other = { git_url = "https://git.example/other.git", command = "deploy.sh", own_topic = true }
  }
}

run "the_sweep_comes_four_times_an_hour" {
  command = plan

  assert {
    condition = alltrue([
      aws_scheduler_schedule.sweep.schedule_expression == "rate(15 minutes)",
      aws_scheduler_schedule.sweep.group_name == "iwomp-in-aws",
      aws_scheduler_schedule.sweep.target[0].input == "{\"sweep\":true}",
      aws_scheduler_schedule.sweep.target[0].arn == "arn:aws:lambda:eu-central-1:123456789012:function:some-function",
      output.sweep_schedule == "iwomp-in-aws/sweep",
    ])
    error_message = "Not the sweep of the design."
  }
}

run "each_whole_branch_of_a_project_with_a_schedule_gets_the_trigger_that_ci_would_send" {
  command = plan

  assert {
    condition = {
      for key, schedule in aws_scheduler_schedule.project :
      key => [schedule.schedule_expression, schedule.target[0].arn, schedule.target[0].input]
      } == {
      "shop/main"      = ["rate(6 hours)", "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop", "{\"branch\":\"main\"}"]
      "shop/release/1" = ["rate(6 hours)", "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop", "{\"branch\":\"release/1\"}"]
      "site/main"      = ["cron(0 3 * * ? *)", "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws", "{\"branch\":\"main\",\"project\":\"site\"}"]
    }
    error_message = "Each whole branch must be asked for on its project's topic."
  }
}

run "a_schedules_name_is_readable_where_the_scheduler_allows_it" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", branches = ["main", "release/1", "release.1", "release#1", "release,1"], schedule = "rate(1 day)" }
      a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-01 = {
        git_url = "https://git.example/a.git", command = "deploy.sh", branches = ["main"], schedule = "rate(1 day)"
      }
      a-project-with-a-name-as-long-as-the-grammar-allows-it-to-be-02 = {
        git_url = "https://git.example/b.git", command = "deploy.sh", branches = ["main"], schedule = "rate(1 day)"
      }
    }
  }

  assert {
    condition     = aws_scheduler_schedule.project["shop/main"].name == "shop.main" && aws_scheduler_schedule.project["shop/release.1"].name == "shop.release.1"
    error_message = "Project and branch must be in the name."
  }

  assert {
    condition = alltrue([
      for schedule in values(aws_scheduler_schedule.project) : can(regex("^[0-9A-Za-z_.-]{1,64}$", schedule.name))
    ])
    error_message = "The scheduler takes 64 of these characters."
  }

  assert {
    condition     = length(distinct([for schedule in values(aws_scheduler_schedule.project) : schedule.name])) == 7
    error_message = "No two may have one name."
  }
}

run "a_schedule_gives_up_before_the_day_breaks" {
  command = plan

  assert {
    condition = alltrue(concat(
      [for schedule in values(aws_scheduler_schedule.project) : schedule.target[0].retry_policy[0].maximum_event_age_in_seconds == 3600],
      [aws_scheduler_schedule.sweep.target[0].retry_policy[0].maximum_event_age_in_seconds == 600],
    ))
    error_message = "AWS's default is a day."
  }
}

run "the_schedulers_role_reaches_the_notifier_and_the_scheduled_projects_topics" {
  command = plan

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.scheduler.policy).Statement :
      statement.Sid => [statement.Effect, flatten([statement.Action]), flatten([statement.Resource])]
      } == {
      Sweep = ["Allow", ["lambda:InvokeFunction"], ["arn:aws:lambda:eu-central-1:123456789012:function:some-function"]]
      AskForScheduledDeployments = ["Allow", ["sns:Publish"], [
        "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws",
        "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--shop",
      ]]
    }
    error_message = "Of topics only those of scheduled projects: ${aws_iam_role_policy.scheduler.policy}"
  }
}

run "without_scheduled_projects_the_scheduler_publishes_nowhere" {
  command = plan

  variables {
    projects = { other = { git_url = "https://git.example/other.git", command = "deploy.sh" } }
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.scheduler.policy).Statement : statement.Sid] == ["Sweep"]
    error_message = "There is nothing to publish."
  }
}

run "only_schedules_of_this_group_take_the_schedulers_role" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition = jsondecode(aws_iam_role.scheduler.assume_role_policy).Statement == [{
      Sid       = "SchedulesOfThisGroup"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/iwomp-in-aws" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }]
    error_message = "Another account's schedule could take the role."
  }

  assert {
    condition     = aws_iam_role.scheduler.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The boundary must be the role's."
  }
}

run "more_scheduled_topics_than_a_role_can_name_are_refused_before_they_are_applied" {
  command = plan

  variables {
    own_topics_by_prefix = true
    projects = {
      for number in range(200) : "a-project-with-a-rather-long-name-${number}" => {
        git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, branches = ["main"], schedule = "rate(1 day)"
      }
    }
  }

  expect_failures = [aws_iam_role_policy.scheduler]
}
