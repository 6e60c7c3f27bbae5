variable "account" {
  description = "Where everything is: account id, partition and region."
  type        = object({ id = string, partition = string, region = string })
  nullable    = false
}

variable "config_path" {
  description = "Name of the pipeline."
  type        = string
  nullable    = false
}

variable "names" {
  description = "What the names of this pipeline begin with, in its region, and of roles, which are the whole account's; and its trees of parameters."
  type        = object({ prefix = string, iam_prefix = string, parameters = map(string) })
  nullable    = false
}

variable "queue_arn" {
  description = "Queue of the triggers."
  type        = string
  nullable    = false
}

variable "queue_url" {
  description = "URL of that queue."
  type        = string
  nullable    = false
}

variable "dead_letter_queue_arn" {
  description = "Queue of the triggers that were given up."
  type        = string
  nullable    = false
}

variable "dead_letter_queue_url" {
  description = "URL of that queue."
  type        = string
  nullable    = false
}

variable "deliveries_queue_arn" {
  description = "Queue of the news that are to be delivered."
  type        = string
  nullable    = false
}

variable "deliveries_queue_url" {
  description = "URL of that queue."
  type        = string
  nullable    = false
}

variable "launcher_log_group" {
  description = "Name of the launcher's log group."
  type        = string
  nullable    = false
}

variable "register_keeper_arns" {
  description = "Roles or users whose changes to the register are not reported."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "deployed_records_days" {
  description = "After how many days without a deployment the record of a branch may be removed; 0 is never."
  type        = number
  nullable    = false
}

variable "zip" {
  description = "Path of a zip file with the program, named `bootstrap`."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "Processor the program was built for: x86_64 or arm64."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds the notifier's role, or null."
  type        = string
  default     = null
}
