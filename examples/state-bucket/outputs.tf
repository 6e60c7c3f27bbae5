output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.id

  # Who is told the name may put a state there.
  depends_on = [
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_policy.this,
  ]
}

output "backend" {
  description = "The backend.tf to put beside the pipeline's Terraform."
  value       = <<-HCL
    terraform {
      backend "s3" {
        bucket       = "${aws_s3_bucket.this.id}"
        key          = "${var.config_path}.tfstate"
        region       = "${data.aws_region.this.id}"
        encrypt      = true
        use_lockfile = true # who applies at the same time waits, or is told
      }
    }
  HCL
}
