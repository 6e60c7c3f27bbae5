terraform {
  # 1.11: write-only arguments, the only way to hand over a credential that leaves no trace in the state.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 5.100 has every argument used here, and nothing used here is deprecated in 6.
      version = ">= 5.100, < 7"
    }
  }
}
