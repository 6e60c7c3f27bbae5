# Where triggers are published. Who may publish where, IAM decides, so the topic is as much of a sender as a trigger has:
# on the shared topic, whoever may publish can name any project; on a project's own, only that one.

locals {
  # As text, because the queue's policy must name the topics before they can be subscribed.
  topic_arn = "arn:${local.account.partition}:sns:${local.arn_suffix}:${var.config_path}"
  own_topic_arns = {
    for name, project in local.projects : name => "${local.topic_arn_prefix}${name}" if project.own_topic
  }

  # Where CI publishes for a project; the launcher takes the project's name from its own topic, and none else there.
  project_topic_arns = { for name in keys(local.projects) : name => lookup(local.own_topic_arns, name, local.topic_arn) }
}

module "shared_topic" {
  source = "./modules/topic"
  count  = var.shared_topic ? 1 : 0

  name                  = var.config_path
  account               = local.account
  queue_arn             = aws_sqs_queue.triggers.arn
  dead_letter_queue_arn = aws_sqs_queue.dead_letters.arn
  publisher_arns        = var.publisher_arns
}

module "own_topic" {
  source   = "./modules/topic"
  for_each = { for name, project in local.projects : name => project if project.own_topic }

  name                  = "${local.names.prefix}${each.key}"
  account               = local.account
  queue_arn             = aws_sqs_queue.triggers.arn
  dead_letter_queue_arn = aws_sqs_queue.dead_letters.arn
  publisher_arns        = each.value.publisher_arns
}
