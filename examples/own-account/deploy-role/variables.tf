variable "name" {
  description = "Name of the project, and of the role."
  type        = string
  nullable    = false
}

variable "trusted_role_arn" {
  description = "The project's role in the pipeline's account: its output `roles`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", var.trusted_role_arn))
    error_message = "Must be the ARN of one role, without a wildcard."
  }
}

variable "branches" {
  description = "Branches whose deployments may take the role: exact names."
  type        = list(string)
  default     = ["main"]
  nullable    = false

  validation {
    condition     = length(var.branches) > 0 && alltrue([for branch in var.branches : !strcontains(branch, "*")])
    error_message = "Must be at least one branch, and no pattern."
  }
}

variable "policy_arns" {
  description = "Managed policies of this account or of AWS: what a deployment may do."
  type        = list(string)
  nullable    = false
}

variable "path" {
  description = "IAM path of the role, without the slash at its beginning: the pipeline's deploy_role_path."
  type        = string
  default     = "deploy/"
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds the role, or null."
  type        = string
  default     = null
}
