# What everything of a pipeline is called: `config_path` alone, or this prefix and more.
#
# `config_path` has no two hyphens in a row and none at its end. So what stands before the first `--` of a name is the whole
# config path of its pipeline: no name of one pipeline is a name of another's, and a policy's `<prefix>*` reaches no other
# pipeline, whatever the two are called. The parameters alone are not called so, but `/<config path>/...` and
# `/<config path>-<tree>/...`; there the slash ends the name, and no config path may end like a tree.
#
# contract/src/parameter.rs has the same names, for the programs; a test there compares the two.
locals {
  names = {
    prefix = "${var.config_path}--"
    # IAM knows no regions: a pipeline of the same name in another region has roles in the same account.
    iam_prefix = "${var.config_path}--${local.account.region}--"

    # The trees of parameters, in which a project's own are called after it, and the two that are everybody's.
    parameters = {
      register    = "/${var.config_path}"
      credentials = "/${var.config_path}-credentials"
      deployed    = "/${var.config_path}-deployed"
      notify      = "/${var.config_path}-notify"
      paused      = "/${var.config_path}-paused"
      reported    = "/${var.config_path}-reported"
      default     = "/${var.config_path}/_default"
      description = "/${var.config_path}/_pipeline"
    }
  }

  # Of the projects' own topics.
  topic_arn_prefix = "arn:${local.account.partition}:sns:${local.arn_suffix}:${local.names.prefix}"
}
