"""The whole pipeline on one machine: a local AWS, a local Git host, the real Terraform, launcher and worker."""
