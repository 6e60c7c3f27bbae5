# A door. Whoever may publish here can ask for a deployment, and can do nothing else.

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:With a key of ours every publisher would need rights on that key, and CI is to hold sns:Publish and nothing besides. A trigger holds no secret.
  name         = var.name
  display_name = "iwomp deployment triggers"
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

# To the queue, not to the launcher: SNS tries a Lambda function three times and then drops the message.
resource "aws_sns_topic_subscription" "triggers" {
  topic_arn = aws_sns_topic.this.arn
  protocol  = "sqs"
  endpoint  = var.queue_arn

  # Off, which is the default: the launcher needs the envelope's message id, topic and time.
  raw_message_delivery = false

  # What SNS itself cannot deliver (a queue policy gone wrong) ends where a lost trigger raises the alarm.
  redrive_policy = jsonencode({ deadLetterTargetArn = var.dead_letter_queue_arn })
}

locals {
  # As text, so that a first plan already shows the policy and what CI has to be told.
  arn = "arn:${var.account.partition}:sns:${var.account.region}:${var.account.id}:${var.name}"

  publisher_accounts = [for arn in var.publisher_arns : split(":", arn)[4]]

  # Without a policy of its own a topic gets SNS's default one, which lets every principal of the account publish,
  # subscribe and change the topic without any right of their own. This one grants nothing, except to those named:
  # publishers of this account need no more than a policy of their own.
  statements = concat(
    [{
      Sid       = "NobodyFromOutside"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["sns:Publish", "sns:Subscribe"]
      Resource  = local.arn
      # Also stops AWS services that another account aims at this topic: they act for no account of this list.
      Condition = {
        StringNotEquals = {
          "aws:PrincipalAccount" = sort(distinct(concat([var.account.id], local.publisher_accounts)))
        }
      }
    }],
    [for arns in [var.publisher_arns] : {
      Sid       = "Publish"
      Effect    = "Allow"
      Principal = { AWS = sort(arns) }
      Action    = ["sns:Publish"]
      Resource  = local.arn
    } if length(arns) > 0],
  )
}
