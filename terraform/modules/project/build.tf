resource "aws_codebuild_project" "this" {
  name         = local.full_name
  description  = "Deploys ${var.name}"
  service_role = aws_iam_role.this.arn

  # The lock of a deployment: a second StartBuild is an error, so two builds of a project cannot overlap and no lock can be
  # left behind. Unset, CodeBuild runs as many as the account allows.
  concurrent_build_limit = 1
  build_timeout          = var.timeout_minutes

  # The worker fetches the repository itself: a source credential of CodeBuild's can be read from inside any build.
  source {
    type      = "NO_SOURCE"
    buildspec = local.buildspec
  }

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type         = { x86_64 = "LINUX_CONTAINER", arm64 = "ARM_CONTAINER" }[var.architecture]
    compute_type = var.compute_type
    # Whoever is root in a privileged container is root on the machine below it.
    privileged_mode = var.privileged
    image           = var.image
    # The build's role pulls the image, except for CodeBuild's own images, which only CodeBuild itself can.
    image_pull_credentials_type = startswith(var.image, "aws/codebuild/") ? "CODEBUILD" : "SERVICE_ROLE"

    environment_variable {
      name  = "CONFIGPATH"
      value = var.config_path
    }

    # Two minutes less than CodeBuild's limit, from the build's start as CodeBuild's own is: the worker ends the command in
    # order and says so before CodeBuild kills both (MARGIN_SECONDS in contract/src/variable.rs).
    environment_variable {
      name  = "TIMELIMITSECONDS"
      value = tostring(var.timeout_minutes * 60 - 120)
    }
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      vpc_id             = vpc_config.value.vpc_id
      subnets            = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.this.name
    }
  }

  # CodeBuild tries to assume the role when the project is made, and the first build needs all of its rights.
  depends_on = [aws_iam_role_policy.worker, aws_iam_role_policy.fence]
}

locals {
  # No `run-as`: the worker starts as root, so that it can run the command as another user, `deployer`, who can look into
  # neither the worker nor the shell above it.
  # Here and not in the repository: who may push there must not choose what runs before the checks of the worker.
  buildspec = yamlencode({
    version = 0.2
    phases  = { build = { commands = concat(var.privileged ? local.docker_commands : [], ["iwomp-worker"]) } }
  })

  # As AWS's guide for Docker in an image of one's own has it. Its group is that of the command: the socket is root to whoever
  # may write to it.
  docker_commands = [
    "nohup dockerd --group deployer >/tmp/dockerd.log 2>&1 &",
    "timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 1; done' || { cat /tmp/dockerd.log; exit 1; }",
  ]
}

# Before the project: CodeBuild would make the group itself in the first build, for ever and outside of Terraform.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/codebuild/${local.full_name}"
  retention_in_days = var.log_retention_days
}
