# A bucket for the state of the pipeline's Terraform: who can write that state owns the deploy roles, so it is shut to
# the builds' own roles and to what they make. `make state-bucket` applies this and writes terraform/backend.tf.

resource "aws_s3_bucket" "this" {
  bucket = local.bucket

  # `terraform destroy` here must not be how a state is lost.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  # A state that was overwritten or broken is an older version away. They are kept for ever: a state is small.
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  # No access lists: what may be done here is said by policies alone.
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = local.all
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        # Whatever rights a project has: a build that could write the state could register itself anything. It takes in this
        # policy, too, and what the builds make, which has their path.
        Sid       = "NothingThatAPipelineRunsAs"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = local.all
        Condition = {
          ArnLike = {
            "aws:PrincipalArn" = flatten([
              for kind in ["role", "user"] : [
                for of in ["${var.config_path}--*", "${var.config_path}/*"] :
                "arn:${data.aws_partition.this.partition}:iam::*:${kind}/${of}"
              ]
            ])
          }
        }
      },
    ]
  })

  # Two changes of a bucket's policies at once are a conflict to S3.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  bucket = coalesce(var.bucket, "${var.config_path}-state-${data.aws_caller_identity.this.account_id}")
  all    = [for suffix in ["", "/*"] : "arn:${data.aws_partition.this.partition}:s3:::${local.bucket}${suffix}"]
}
