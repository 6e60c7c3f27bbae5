# The recommended form: an account that holds the pipeline and nothing else. Its projects hold no right there; each takes a
# deploy role of the account that it deploys to, which deploy-role/ makes. A build that is taken over can then do what its
# deploy role can, in that account, and finds nothing beside itself but the pipeline, which it cannot reach.

module "pipeline" {
  source = "../../terraform"

  # No project may hold a right of its own: a policy added in a hurry is an error of the plan.
  deploy_roles_only = true
  shared_topic      = false

  launcher_zip = var.launcher_zip
  notifier_zip = var.notifier_zip
  image_tag    = var.image_tag

  # Nobody else writes the register here, so that every other write is told.
  alarm_actions = var.alarm_actions

  projects = {
    for name, project in var.projects : name => {
      git_url         = project.git_url
      command         = project.command
      branches        = project.branches
      own_topic       = true
      require_commit  = true
      deploy_role_arn = "arn:${data.aws_partition.this.partition}:iam::${project.account}:role/${var.deploy_role_path}${name}"
      publisher       = { ci = "github", subjects = project.subjects }
    }
  }
}

data "aws_partition" "this" {}
