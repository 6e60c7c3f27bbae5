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

variable "github_app" {
  description = "The App: its id, the ARN of its private key in KMS, the API of its GitHub, and the certificates to trust there, or null."
  type        = object({ app_id = string, key = string, api_url = string, ca_bundle = string })
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
  description = "ARN of a policy that bounds the broker's role, or null."
  type        = string
  default     = null
}

variable "vpc" {
  description = "Subnets and security groups in which the function runs, or null."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "concurrency" {
  description = "How many calls run at once at most, taken from the account's concurrent executions for it alone. Null: as many as there are."
  type        = number
  default     = null
}
