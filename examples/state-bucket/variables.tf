variable "bucket" {
  description = "Name of the bucket, of which there can be one in the world; without dots, which break TLS. Null: <config_path>-state-<account id>."
  type        = string
  default     = null
}

variable "config_path" {
  description = "Name of the pipeline whose state goes there, and whose builds are kept out."
  type        = string
  default     = "iwomp-in-aws"
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a key to encrypt with. Null: S3's own."
  type        = string
  default     = null
}
