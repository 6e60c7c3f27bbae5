terraform {
  required_version = ">= 1.10" # use_lockfile; of OpenTofu, too

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # Region and credentials are those that the deployment has.
  backend "s3" {
    bucket       = "example-projects-state"
    key          = "network.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

resource "aws_ssm_parameter" "range" {
  name           = "/network/range"
  type           = "String"
  insecure_value = "10.0.0.0/16"
}
