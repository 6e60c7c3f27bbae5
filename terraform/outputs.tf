output "config_path" {
  description = "Name of the pipeline."
  value       = var.config_path
}

output "topic_arn" {
  description = "The shared topic; null without one. A project's own is in `projects`."
  value       = one(module.shared_topic[*].arn)
}

output "queue_url" {
  description = "Queue in which triggers wait."
  value       = aws_sqs_queue.triggers.url
}

output "dead_letter_queue_url" {
  description = "Queue of the triggers that were given up; it should be empty."
  value       = aws_sqs_queue.dead_letters.url
}

output "repository_url" {
  description = "ECR repository to push the worker's image to."
  value       = aws_ecr_repository.this.repository_url
}

output "worker_image" {
  description = "Image that projects run unless they name another or another target; it must be pushed before the first build."
  value       = local.worker_image
}

output "worker_images" {
  description = "Image of each target that was built, by target."
  value       = local.image_of_target

  # The first apply of `make deploy` is of a part, with no image: it then leaves alone what was told of those that run.
  depends_on = [aws_ssm_parameter.description]
}

output "image_targets" {
  description = "Targets of the image that projects run, with a blank between two."
  value       = join(" ", local.image_targets)
}

output "kms_key_arn" {
  description = "Key that encrypts the Git credentials."
  value       = aws_kms_key.this.arn
}

output "launcher_function_name" {
  description = "Name of the launcher's Lambda function."
  value       = module.launcher.function_name
}

output "launcher_log_group" {
  description = "Log group of the launcher."
  value       = module.launcher.log_group
}

output "launcher_sha256" {
  description = "SHA-256 of the launcher's zip that was applied, as sha256sum prints it."
  value       = module.launcher.sha256

  precondition {
    condition     = !contains(local.foreign_zips, "launcher")
    error_message = "${local.zips.launcher} is not the launcher of iwomp ${local.iwomp_version} for ${var.architecture}, by the sums that the module was released with: take what its archive holds, or the module of the checkout that the zip was built in."
  }
}

output "notifier_function_name" {
  description = "Name of the notifier's Lambda function."
  value       = module.notifier.function_name
}

output "notifier_log_group" {
  description = "Log group of the notifier: one line a build that ended."
  value       = module.notifier.log_group
}

output "notifier_sha256" {
  description = "SHA-256 of the notifier's zip that was applied, as sha256sum prints it."
  value       = module.notifier.sha256

  precondition {
    condition     = !contains(local.foreign_zips, "notifier")
    error_message = "${local.zips.notifier} is not the notifier of iwomp ${local.iwomp_version} for ${var.architecture}, by the sums that the module was released with: take what its archive holds, or the module of the checkout that the zip was built in."
  }
}

output "broker_sha256" {
  description = "SHA-256 of the broker's zip that was applied, as sha256sum prints it; null without a GitHub App."
  value       = one(module.broker[*].sha256)

  precondition {
    condition     = !contains(local.foreign_zips, "broker")
    error_message = "${local.zips.broker} is not the broker of iwomp ${local.iwomp_version} for ${var.architecture}, by the sums that the module was released with: take what its archive holds, or the module of the checkout that the zip was built in."
  }
}

output "reports_topic_arn" {
  description = "Topic to subscribe to for what became of each build: by e-mail, by a chat's webhook."
  value       = module.notifier.topic_arn
}

output "sweep_schedule" {
  description = "Schedule that has the notifier look for what it missed, as group/name."
  value       = "${aws_scheduler_schedule.sweep.group_name}/${aws_scheduler_schedule.sweep.name}"
}

output "projects" {
  description = "By project: names of its CodeBuild project, log group and parameters, the ARNs of its role and of the topic to publish to, and what roles of its own making must have: boundary_arn as their boundary, identity_path as their path."
  value = {
    for name, project in module.project : name => {
      build_project         = project.build_project
      role_arn              = project.role_arn
      boundary_arn          = project.boundary_arn
      identity_path         = project.identity_path
      log_group             = project.log_group
      register_parameter    = project.register_parameter
      credentials_parameter = project.credentials_parameter
      topic_arn             = local.projects[name].own_topic ? module.own_topic[name].arn : one(module.shared_topic[*].arn)
    }
  }
}

output "publish_command" {
  description = "By project: the command with which CI asks for a deployment. COMMIT is to be the one that CI tested."
  value = {
    for name, message in local.example_messages : name => join(" ", [
      "aws sns publish --region ${local.account.region} --topic-arn ${local.project_topic_arns[name]} --message",
      # Needs no escaping: the grammars of names and branches allow no quote.
      "'${jsonencode({ for key, value in message : key => value if value != null })}'",
    ])
  }
}

locals {
  example_messages = {
    for name, project in local.projects : name => {
      # Its own topic already says which project is meant.
      project = project.own_topic ? null : name
      branch  = replace(element(coalesce(project.branches, ["main"]), 0), "*", "NAME")
      commit  = project.require_commit == true ? "COMMIT" : null
    }
  }
}

output "publishers" {
  description = "By project with a publisher: the ARN of CI's identity, the topic, and what to paste into the CI."
  value = {
    for name, publisher in module.publisher : name => {
      identity_arn = publisher.identity_arn
      user_name    = publisher.user_name
      topic_arn    = publisher.topic_arn
      setup        = publisher.setup
    }
  }
}

output "publisher_policy" {
  description = "IAM policy for a CI's identity in this account: it may publish on the shared topic, and nothing else. Null without a shared topic; for one project's own, see `publishers`."
  value = one([for arn in module.shared_topic[*].arn : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AskForDeployments"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = arn
    }]
  })])
}
