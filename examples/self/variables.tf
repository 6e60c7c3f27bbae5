variable "config_path" {
  description = "Name of the pipeline that deploys itself."
  type        = string
  default     = "iwomp-in-aws"
  nullable    = false
}

variable "project" {
  description = "Name of the project that is the pipeline's own repository."
  type        = string
  default     = "self"
  nullable    = false
}

variable "branch" {
  description = "The one branch of it that rolls out. Whoever can push there owns the pipeline."
  type        = string
  default     = "main"
  nullable    = false
}

variable "state_bucket" {
  description = "Bucket of the pipeline's state, as `make state-bucket` has named it. The state of this configuration belongs elsewhere, or the deploy role could rewrite it."
  type        = string
  nullable    = false
}
