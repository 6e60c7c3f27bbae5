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

variable "topic_arn" {
  description = "ARN that the shared topic has or would have; the launcher takes envelopes of it and of projects' own topics, whose ARNs start with it and a hyphen."
  type        = string
  nullable    = false
}

variable "queue_arn" {
  description = "Queue of the triggers. Its visibility timeout must exceed the function's timeout, 15 seconds."
  type        = string
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
