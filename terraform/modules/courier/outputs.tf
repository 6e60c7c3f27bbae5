output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "log_group" {
  description = "Name of its log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of its role."
  value       = aws_iam_role.this.arn
}

output "queue_arn" {
  description = "ARN of the queue of deliveries."
  value       = aws_sqs_queue.deliveries.arn
}

output "queue_url" {
  description = "URL of that queue."
  value       = aws_sqs_queue.deliveries.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue of deliveries that were given up."
  value       = aws_sqs_queue.dead.arn
}

output "dead_letter_queue_name" {
  description = "Name of that queue."
  value       = aws_sqs_queue.dead.name
}

output "dead_letter_queue_url" {
  description = "URL of that queue."
  value       = aws_sqs_queue.dead.url
}

output "queue_name" {
  description = "Name of the queue of deliveries."
  value       = aws_sqs_queue.deliveries.name
}
