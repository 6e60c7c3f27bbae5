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
  images_kept = 20

  # As text, so that a first plan already shows which image each project will run.
  repository_url = join("/", [
    "${local.account.id}.dkr.ecr.${local.account.region}.${data.aws_partition.this.dns_suffix}",
    var.config_path,
  ])

  # A digest is joined with "@", a tag with ":".
  worker_image = join(startswith(var.image_tag, "sha256:") ? "@" : ":", [local.repository_url, var.image_tag])
}
