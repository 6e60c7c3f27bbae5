variable "issuer_url" {
  description = "Who signs the tokens, such as https://token.actions.githubusercontent.com."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)*$", var.issuer_url))
    error_message = "Must be https://host or https://host/path: no port, query, final slash or wildcard."
  }
}

variable "audiences" {
  description = "For whom the tokens may be made out: of all roles that trust the issuer."
  type        = list(string)
  default     = ["sts.amazonaws.com"]
  nullable    = false

  validation {
    condition     = length(var.audiences) > 0 && length(var.audiences) <= 100 && length(distinct(var.audiences)) == length(var.audiences)
    error_message = "Must name from 1 to 100 audiences, each once: IAM takes no more."
  }
}
