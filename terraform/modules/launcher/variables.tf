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

variable "topic_arn" {
  description = "ARN that the shared topic has or would have; the launcher takes envelopes of it and of projects' own topics, whose ARNs start with it and two hyphens."
  type        = string
  nullable    = false
}

variable "queue_arn" {
  description = "Queue of the triggers. Its visibility timeout must exceed the function's timeout, 15 seconds."
  type        = string
  nullable    = false
}

variable "queue_url" {
  description = "URL of that queue: where the launcher says when a trigger shall come back."
  type        = string
  nullable    = false
}

variable "dead_letter_queue_arn" {
  description = "Queue for the triggers that the launcher gives up."
  type        = string
  nullable    = false
}

variable "dead_letter_queue_url" {
  description = "URL of that queue."
  type        = string
  nullable    = false
}

variable "retry_seconds" {
  description = "The longest delay between two tries of a trigger."
  type        = number
  nullable    = false
}

variable "visibility_seconds" {
  description = "The queue's visibility timeout: the delay for which the launcher makes no call."
  type        = number
  nullable    = false
}

variable "max_wait_seconds" {
  description = "How long a trigger may wait until it becomes a dead letter."
  type        = number
  nullable    = false
}

variable "builds_per_hour" {
  description = "How many builds of a project may start in an hour."
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

variable "maximum_concurrency" {
  description = "How many batches may be worked on at once, at least 2."
  type        = number
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds the launcher's role, or null."
  type        = string
  default     = null
}
