variable "name" {
  description = "Name of the topic: the pipeline's, and for a project's own topic a hyphen and the project's."
  type        = string
  nullable    = false
}

variable "account" {
  description = "Where everything is: account id, partition and region."
  type        = object({ id = string, partition = string, region = string })
  nullable    = false
}

variable "queue_arn" {
  description = "Queue that the triggers wait in. Its policy must let this topic send."
  type        = string
  nullable    = false
}

variable "dead_letter_queue_arn" {
  description = "Queue for what SNS cannot deliver. Its policy must let this topic send."
  type        = string
  nullable    = false
}

variable "publisher_arns" {
  description = "Roles or users of other accounts that may publish."
  type        = list(string)
  default     = []
  nullable    = false
}
