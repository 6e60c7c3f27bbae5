output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "log_group" {
  description = "Name of its log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of its role."
  value       = aws_iam_role.this.arn
}

output "sha256" {
  description = "SHA-256 of the zip, in hexadecimal digits."
  value       = fileexists(var.zip) ? filesha256(var.zip) : null
}

output "topic_arn" {
  description = "ARN of the topic of the reports."
  value       = local.topic_arn

  # Who is told the ARN may rely on the topic.
  depends_on = [aws_sns_topic_policy.reports]
}
