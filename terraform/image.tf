# The worker's image. It is built from this repository by the platform team, never by the CI that triggers deployments.

resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:Encrypted with ECR's own key. The image holds no secret, and a key of ours would be one more right for every build.
  name = var.config_path

  # A tag that can be moved is a way to change what runs with every deploy role without a plan that shows it.
  image_tag_mutability = "IMMUTABLE"

  # `terraform destroy` would stop at the first image. They can be built again: their tag is the hash of their sources.
  force_delete = true

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the last ${local.images_kept} images: enough to go back, and the scans of the rest are stale."
      selection = {
        tagStatus   = "any"
        countType   = "imageCountMoreThan"
        countNumber = local.images_kept
      }
      action = { type = "expire" }
    }]
  })
}

locals {
  images_kept = 20 * length(local.image_targets) # each deployment of the pipeline may bring one of each

  # As text, so that a first plan already shows which image each project will run.
  repository_url = join("/", [
    "${local.account.id}.dkr.ecr.${local.account.region}.${data.aws_partition.this.dns_suffix}",
    var.config_path,
  ])

  # By target, of which worker/Dockerfile has a stage of this name. A digest is joined with "@", a tag with ":".
  image_of_target = {
    for target, tag in merge({ for tag in compact([var.image_tag]) : "all" => tag }, var.image_tags) :
    target => join(startswith(tag, "sha256:") ? "@" : ":", [local.repository_url, tag])
  }
  image_of_project = {
    for name, project in local.projects :
    name => coalesce(project.image, try(local.image_of_target[local.target_of_project[name]], null))
  }

  # Of the target `all`, where there is one.
  worker_image = try(local.image_of_target["all"], values(local.image_of_target)[0], "")
}
