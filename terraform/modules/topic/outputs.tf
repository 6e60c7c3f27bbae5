output "arn" {
  description = "ARN of the topic."
  value       = local.arn

  # Who is told the ARN may rely on the topic.
  depends_on = [aws_sns_topic_policy.this, aws_sns_topic_subscription.triggers]
}
