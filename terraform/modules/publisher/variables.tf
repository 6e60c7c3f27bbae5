variable "topic_arn" {
  description = "The topic to publish to: a project's own."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", var.topic_arn))
    error_message = "Must be the ARN of one SNS topic, without wildcards."
  }
}

variable "ci" {
  description = "Which CI it is: github, gitlab, circleci, bitbucket or buildkite; custom for another one with OpenID Connect; user for one without, which gets an IAM user."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["github", "gitlab", "circleci", "bitbucket", "buildkite", "custom", "user"], var.ci)
    error_message = "Must be github, gitlab, circleci, bitbucket, buildkite, custom or user."
  }
}

variable "issuer_url" {
  description = "Who signs the tokens. Null: github.com's, gitlab.com's or Buildkite's own. Needed for a self-hosted instance, for circleci (https://oidc.circleci.com/org/ID) and for bitbucket (on its OpenID Connect page)."
  type        = string
  default     = null

  validation {
    condition = var.issuer_url == null ? true : can(
      regex("^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)*$", var.issuer_url)
    )
    error_message = "Must be https://host or https://host/path: no port, query, final slash or wildcard."
  }
}

variable "provider_arn" {
  description = "The account's identity provider for this issuer (modules/identity_provider). Null: by the issuer's name, of which there can be one only."
  type        = string
  default     = null

  validation {
    condition = var.provider_arn == null ? true : can(
      regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/[a-z0-9.-]+(/[A-Za-z0-9._~-]+)*$", var.provider_arn)
    )
    error_message = "Must be the ARN of an OpenID Connect provider: arn:aws:iam::123456789012:oidc-provider/host/path."
  }

  validation {
    condition     = var.provider_arn == null || var.issuer_url == null
    error_message = "provider_arn already says who the issuer is: leave issuer_url out."
  }

  validation {
    condition     = var.provider_arn != null || var.issuer_url != null || contains(concat(["user"], keys(local.issuer_urls)), var.ci)
    error_message = "For ${var.ci}, issuer_url or provider_arn is required."
  }
}

variable "audience" {
  description = "For whom the tokens are made out. Null: what AWS's and the CI's guides take, or for circleci the organisation. Needed for bitbucket (on its OpenID Connect page) and custom."
  type        = string
  default     = null

  validation {
    condition     = var.audience == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,254}$", var.audience))
    error_message = "Must be one audience, spelt out: no wildcard."
  }

  validation {
    condition     = var.audience != null || contains(concat(["user"], keys(local.audiences)), var.ci)
    error_message = "For ${var.ci}, audience is required."
  }
}

variable "subjects" {
  description = "Who is let in: the tokens' subjects, each in full. Of bitbucket {REPOSITORY}:{ENVIRONMENT}, of buildkite everything before :commit: (issuers.tf shows each form)."
  type        = list(string)
  default     = []
  nullable    = false

  # `$`, because IAM would take ${*} for a wildcard and ${...} for a variable.
  validation {
    condition     = alltrue([for subject in var.subjects : can(regex("^[^*?$[:cntrl:]]{1,1000}$", subject))])
    error_message = "A subject must be spelt out: no * or ?, no $, nothing invisible."
  }

  validation {
    condition = alltrue([
      for subject in var.subjects : can(regex(lookup(local.subject_patterns, var.ci, "."), subject))
    ])
    error_message = "Not the subjects of ${var.ci}'s tokens, of one branch or one environment: issuers.tf of modules/publisher shows their form."
  }

  # The rest is about variables that go together. It stands here because two variables whose validations name each other
  # are a cycle to Terraform.
  validation {
    condition     = var.ci == "user" || length(var.subjects) > 0
    error_message = "Without a subject, everybody who has an account with the CI could publish."
  }

  validation {
    condition = var.ci != "user" || alltrue([
      var.issuer_url == null,
      var.provider_arn == null,
      var.audience == null,
      length(var.subjects) == 0,
    ])
    error_message = "A user has no tokens: issuer_url, provider_arn, audience and subjects would do nothing."
  }

  validation {
    condition     = length(var.subjects) == 0 || can(regex(lookup(local.issuer_patterns, var.ci, "."), local.issuer))
    error_message = "Not an issuer of ${var.ci}'s tokens: ${local.issuer}."
  }

  validation {
    condition = var.ci != "circleci" || alltrue([
      for subject in var.subjects : startswith(subject, "${trimprefix(local.issuer, "oidc.circleci.com/")}/")
    ])
    error_message = "The subjects are of another organisation than the issuer."
  }
}

variable "read" {
  description = "What CI may look at to wait for its deployment: status, the project's builds and how they ended; log, what they print as well. Null: nothing."
  type        = string
  default     = null

  validation {
    condition     = var.read == null ? true : contains(["status", "log"], var.read)
    error_message = "Must be status or log; leave it out, and CI may read nothing."
  }

  # Its topic's name is what tells the project.
  validation {
    condition     = var.read == null || strcontains(var.topic_arn, "--")
    error_message = "Only on a project's own topic, which tells whose builds may be read: ${var.topic_arn} is none."
  }
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds the identity, or null. It must allow sns:Publish on the topic, and what read is for."
  type        = string
  default     = null
}
