output "topic_arn" {
  description = "The topic to publish triggers to."
  value       = aws_sns_topic.this.arn
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
  description = "Image that projects run unless they name another; it must be pushed before the first build."
  value       = local.worker_image
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

output "projects" {
  description = "By project: names of its CodeBuild project, log group and parameters, and the ARN of its role."
  value = {
    for name, project in module.project : name => {
      build_project         = project.build_project
      role_arn              = project.role_arn
      log_group             = project.log_group
      register_parameter    = project.register_parameter
      credentials_parameter = project.credentials_parameter
    }
  }
}

output "publish_command" {
  description = "By project: the command with which CI asks for a deployment."
  value = {
    for name, project in var.projects : name => join(" ", [
      "aws sns publish --topic-arn ${aws_sns_topic.this.arn} --message",
      # Needs no escaping: the grammars of names and branches allow no quote.
      "'{\"project\":\"${name}\",\"branch\":\"${replace(coalesce(project.branches, ["main"])[0], "*", "NAME")}\"}'",
    ])
  }
}

output "publisher_policy" {
  description = "IAM policy for a CI's identity in this account: it may publish triggers, and nothing else."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AskForDeployments"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = aws_sns_topic.this.arn
    }]
  })
}
