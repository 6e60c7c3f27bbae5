variable "pages_bucket" {
  description = "Name of the bucket that the handbook is published in."
  type        = string
  nullable    = false
}

variable "image_tag" {
  description = "Tag of the deployer image in the pipeline's own repository, as `make image` and a push gave it."
  type        = string
  nullable    = false
}

variable "launcher_zip" {
  description = "The launcher's zip, as `make zip` makes it. Null: where that puts it."
  type        = string
  default     = null
}

variable "notifier_zip" {
  description = "The notifier's zip. Null: where `make zip` puts it."
  type        = string
  default     = null
}
