# The pipeline's description: what a program needs to find everything else, so that nobody has to read Terraform's state. Whoever
# may read it can look at the pipeline; it gives no right to anything. Nothing in it grows with the projects, for a standard
# parameter holds 4 KB: what is a project's is called after it, by contract/src/parameter.rs.
#
# Whoever can write it can send operators elsewhere, with their rights. So it stands where the register does: behind the fence of
# every project, out of reach of the pipeline's roles, and a change by anybody but the register's keepers is reported.

resource "aws_ssm_parameter" "description" {
  #checkov:skip=CKV2_AWS_34:No secret is in it, and whoever operates the pipeline shall need no right to a key for it.
  name        = local.names.parameters.description
  description = "Where everything of the deployment pipeline ${var.config_path} is. Managed by Terraform."
  type        = "String"
  # `value` would be hidden in plans.
  insecure_value = jsonencode(local.description)
}

locals {
  # Read by contract/src/description.rs. A key may be added; what is there keeps its meaning, or `version` is raised.
  description = merge({
    version     = 1
    iwomp       = local.iwomp_version
    config_path = var.config_path
    partition   = local.account.partition
    account     = local.account.id
    region      = local.account.region

    # The ARN of the shared topic, which a project's own continues; whether there is a shared one.
    topic_arn         = local.topic_arn
    shared_topic      = var.shared_topic
    reports_topic_arn = module.notifier.topic_arn

    queue_url             = aws_sqs_queue.triggers.url
    dead_letter_queue_url = aws_sqs_queue.dead_letters.url

    launcher = {
      function  = module.launcher.function_name
      log_group = module.launcher.log_group
      sha256    = module.launcher.sha256
    }
    notifier = {
      function  = module.notifier.function_name
      log_group = module.notifier.log_group
      sha256    = module.notifier.sha256
    }

    courier = {
      function  = module.courier.function_name
      log_group = module.courier.log_group
      sha256    = module.notifier.sha256 # the same program
    }
    deliveries_queue_url             = module.courier.queue_url
    deliveries_dead_letter_queue_url = module.courier.dead_letter_queue_url

    kms_key_arn    = aws_kms_key.this.arn
    repository_url = local.repository_url
    worker_image   = local.worker_image
    schedule_group = aws_scheduler_schedule_group.this.name

    retry_seconds    = var.retry_seconds
    max_wait_seconds = var.max_wait_seconds
    builds_per_hour  = var.builds_per_hour
    }, {
    for broker in module.broker : "broker" => {
      function  = broker.function_name
      log_group = broker.log_group
      sha256    = broker.sha256
      key_arn   = var.github_app.key
    }
  })

  # Of the programs that this module comes with: Cargo.toml's. A test of the contract compares the two.
  iwomp_version = "0.1.0"
}
