output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function, without an alias: by it nobody gets anything."
  value       = aws_lambda_function.this.arn
}

output "log_group" {
  description = "Name of its log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "sha256" {
  description = "SHA-256 of the zip, in hexadecimal digits."
  value       = fileexists(var.zip) ? filesha256(var.zip) : null
}
