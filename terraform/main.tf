# The pipeline, once in an account and region:
#
#   publishers.tf ─► topic.tf ─► queue.tf ─► launcher.tf ─► projects.tf, which runs image.tf, reads credentials under key.tf
#   schedules.tf ───────┘                                       └─► notifier.tf ◄─ schedules.tf
#
# alarms.tf watches all of it.
#
# There is no provider block: region and credentials come from the environment or from the calling module.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  # Asked for once and handed down: a data source in each project would be three calls more a project on every plan.
  account = {
    id        = data.aws_caller_identity.this.account_id
    partition = data.aws_partition.this.partition
    # `id`, because `name` is deprecated in version 6 of the provider and `region` is unknown to version 5.
    region = data.aws_region.this.id
  }

  arn_suffix = "${local.account.region}:${local.account.id}"
}
