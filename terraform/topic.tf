# The only door. Whoever may publish here can ask for a deployment, and can do nothing else.

resource "aws_sns_topic" "this" {
  name         = var.config_path
  display_name = "iwomp deployment triggers"

  # Not encrypted with a key of ours: every publisher would then need rights on that key, and the CI principal is to hold
  # sns:Publish and nothing besides. A trigger holds no secret.
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = local.topic_statements })
}

locals {
  publisher_accounts = [for arn in var.publisher_arns : split(":", arn)[4]]

  # Without a policy of its own a topic gets SNS's default one, which lets every principal of the account publish,
  # subscribe and change the topic without any right of their own. This one grants nothing, except to those named:
  # publishers of this account need no more than the policy in the output `publisher_policy`.
  topic_statements = concat(
    [{
      Sid       = "NobodyFromOutside"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["sns:Publish", "sns:Subscribe"]
      Resource  = aws_sns_topic.this.arn
      # Also stops AWS services that another account aims at this topic: they act for no account of this list.
      Condition = {
        StringNotEquals = {
          "aws:PrincipalAccount" = sort(distinct(concat([local.account.id], local.publisher_accounts)))
        }
      }
    }],
    [for arns in [var.publisher_arns] : {
      Sid       = "Publish"
      Effect    = "Allow"
      Principal = { AWS = sort(arns) }
      Action    = ["sns:Publish"]
      Resource  = aws_sns_topic.this.arn
    } if length(arns) > 0],
  )
}

# To the queue, not to the launcher: SNS tries a Lambda function three times and then drops the message.
resource "aws_sns_topic_subscription" "triggers" {
  topic_arn = aws_sns_topic.this.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.triggers.arn

  # Off, which is the default: the launcher needs the envelope's message id, topic and time.
  raw_message_delivery = false

  # What SNS itself cannot deliver (a queue policy gone wrong) ends where a lost trigger raises the alarm.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn })
}
