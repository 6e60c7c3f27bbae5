variable "projects" {
  description = "By name: the repository, its command and branches, the CI's subjects, and the account to deploy to."
  type = map(object({
    git_url  = string
    command  = string
    branches = optional(list(string), ["main"])
    subjects = list(string)
    account  = string
  }))
  nullable = false
}

variable "deploy_role_path" {
  description = "IAM path of the deploy roles in the accounts that are deployed to, without the slash at its beginning."
  type        = string
  default     = "deploy/"
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of what an alarm notifies."
  type        = list(string)
  default     = []
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
