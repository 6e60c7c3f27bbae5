variable "config_path" {
  description = "Name of this pipeline: the first segment of its parameters' names and the prefix of everything else it makes. Changing it makes a second pipeline and destroys the first."
  type        = string
  default     = "iwomp-in-aws"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+([_-][a-z0-9]+)*$", var.config_path)) && length(var.config_path) <= 32
    error_message = "Must be at most 32 of a-z 0-9, in words joined by a single _ or -: what SSM, IAM and ECR all take and do not mix up with another pipeline's name. Capitals are one with small letters to IAM and ECR, and two hyphens end a pipeline's name."
  }

  validation {
    condition     = !can(regex("^(aws|ssm)", var.config_path))
    error_message = "Must not start with aws or ssm: SSM reserves such parameter names."
  }

  validation {
    condition     = !can(regex("-(credentials|deployed|notify|paused|reported)$", var.config_path))
    error_message = "Must not end in -credentials, -deployed, -notify, -paused or -reported: there another pipeline would keep its own."
  }
}

variable "architecture" {
  description = "Processor of launcher, notifier and builds: x86_64 or arm64. The zips and the image must be built for it."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Must be x86_64 or arm64."
  }
}

variable "launcher_zip" {
  description = "Path of the launcher's zip. Null: the one of the release, or where `make build` leaves it in this repository."
  type        = string
  default     = null
}

variable "notifier_zip" {
  description = "Path of the notifier's zip. Null: the one of the release, or where `make build` leaves it in this repository."
  type        = string
  default     = null
}

variable "broker_zip" {
  description = "Path of the broker's zip. Null: the one of the release, or where `make build` leaves it in this repository."
  type        = string
  default     = null
}

variable "image_tag" {
  description = "Tag or digest (sha256:...) of the worker's image in the pipeline's own ECR repository, of the target all, which every project runs that names neither image nor image_target."
  type        = string
  default     = null

  validation {
    condition     = var.image_tag == null ? true : can(regex("^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$", var.image_tag))
    error_message = "Must be an image tag, or a digest: sha256: and 64 lower-case hexadecimal digits."
  }
}

variable "image_tags" {
  description = "The same of each target that projects name as image_target: minimal, terraform, opentofu, cdk or all. `make deploy` sets it."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for target, tag in var.image_tags :
      contains(["minimal", "terraform", "opentofu", "cdk", "all"], target) && can(regex("^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$", tag))
    ])
    error_message = "Must be an image tag or a digest by target, which is minimal, terraform, opentofu, cdk or all."
  }

  validation {
    condition     = length(setsubtract(local.image_targets, concat(keys(var.image_tags), [for tag in compact([var.image_tag]) : "all"]))) == 0
    error_message = "Each target in use needs an image, ${join(" and ", local.image_targets)}: `make deploy` builds them; else build and push it (worker/image.sh) and name it here, that of all as image_tag."
  }
}

variable "projects" {
  description = "The repositories this pipeline deploys, by name; the name is what CI sends and cannot change later. The fields are listed in fields.tf, and are those of modules/project; own_topic gives the project a topic that triggers no other, publisher_arns names who of other accounts may publish there, publisher makes CI's identity (modules/publisher; with read = status or log it may see the project's builds), schedule deploys its branches by the clock, too: rate(...), cron(...) or at(...) of EventBridge Scheduler, in UTC."
  type        = any # and not an object, which would drop a misspelt field without a word
  default     = {}
  nullable    = false

  validation {
    condition = alltrue(flatten([
      for project in values(var.projects) : [
        for part, object in merge({ "" = project }, { for part in keys(local.entry_fields) : part => project[part] if can(keys(project[part])) }) : [
          for field in keys(object) : contains(keys(local.entry_fields[part]), field)
        ]
      ]
    ]))
    # The nearest is the one that has most pairs of letters in common, if those are a third of all.
    error_message = join("\n", flatten([
      for name, project in var.projects : [
        for part, object in merge({ "" = project }, { for part in keys(local.entry_fields) : part => project[part] if can(keys(project[part])) }) : [
          for field in keys(object) : [
            for pairs in [distinct([
              for place in range(max(0, length(replace(field, "_", "")) - 1)) : substr(lower(replace(field, "_", "")), place, 2)
              ])] : [
              for nearest in [reverse(sort([
                for known, its in local.field_pairs[part] :
                format("%06.4f %s", 2 * length(setintersection(pairs, its)) / (length(pairs) + length(its)), known)
                ]))[0]] : join("", [
                "Project ${name}: there is no field ${part == "" ? "" : "${part}."}${field}. ",
                tonumber(split(" ", nearest)[0]) < 0.33 ? "The fields are ${join(", ", keys(local.entry_fields[part]))}." : "Is ${split(" ", nearest)[1]} meant?",
              ])
            ]
          ] if !contains(keys(local.entry_fields[part]), field)
        ]
      ]
    ]))
  }

  validation {
    condition = alltrue(flatten([
      for project in values(var.projects) : [
        for part, object in merge({ "" = project }, { for part in keys(local.entry_fields) : part => project[part] if can(keys(project[part])) }) : [
          for field, value in object : value == null || {
            "text"            = can(tostring(value))
            "number"          = can(tonumber(value))
            "true or false"   = can(tobool(value))
            "list of texts"   = can([for item in tolist(value) : tostring(item)])
            "map of texts"    = can(keys(value)) && can([for item in values(value) : tostring(item)])
            "object"          = can(keys(value))
            "list of objects" = !can(keys(value)) && can([for item in value : keys(item)])
            "unknown"         = true # said above
          }[lookup(local.entry_fields[part], field, "unknown")]
        ]
      ]
    ]))
    error_message = join("\n", flatten([
      for name, project in var.projects : [
        for part, object in merge({ "" = project }, { for part in keys(local.entry_fields) : part => project[part] if can(keys(project[part])) }) : [
          for field, value in object : "Project ${name}: ${part == "" ? "" : "${part}."}${field} is not what it has to be: ${lookup(local.entry_fields[part], field, "")}."
          if !(value == null || {
            "text"            = can(tostring(value))
            "number"          = can(tonumber(value))
            "true or false"   = can(tobool(value))
            "list of texts"   = can([for item in tolist(value) : tostring(item)])
            "map of texts"    = can(keys(value)) && can([for item in values(value) : tostring(item)])
            "object"          = can(keys(value))
            "list of objects" = !can(keys(value)) && can([for item in value : keys(item)])
            "unknown"         = true # said above
          }[lookup(local.entry_fields[part], field, "unknown")])
        ]
      ]
    ]))
  }

  validation {
    condition = alltrue([
      for publisher in [for project in values(var.projects) : project.publisher if can(keys(project.publisher))] :
      lookup(publisher, "ci", null) != null
    ])
    error_message = "publisher must say which ci it is for."
  }

  validation {
    condition     = length(distinct([for name in keys(var.projects) : lower(name)])) == length(var.projects)
    error_message = "Two project names differ in case only: IAM would take their roles for one."
  }

  validation {
    condition = length(setintersection(
      [for name in keys(var.projects) : lower(name)],
      ["broker", "courier", "launcher", "notifier", "reports", "scheduler"],
    )) == 0
    error_message = "No project can be called broker, courier, launcher, notifier, reports or scheduler: its role or its topic would have the name of one of the pipeline's."
  }

  validation {
    condition = var.own_topics_by_prefix || length(join("','", [
      for name, project in var.projects : "${local.topic_arn_prefix}${name}" if lookup(project, "own_topic", null) == true
    ])) <= 7600
    error_message = "The queue's policy can name only about a hundred topics (SQS takes 8192 bytes), and there are more projects with own_topic. See own_topics_by_prefix, and what it costs."
  }

  validation {
    condition = alltrue([
      for project in [for project in values(var.projects) : merge(local.absent[""], project)] :
      project.own_topic == true || project.publisher == null && length(project.publisher_arns == null ? [] : project.publisher_arns) == 0
    ])
    error_message = "A project with publisher or publisher_arns needs own_topic = true: on the shared topic its CI could trigger every other project, too."
  }

  validation {
    condition = alltrue(flatten([
      for project in [for project in values(var.projects) : merge(local.absent[""], project)] : [
        for arn in(project.publisher_arns == null ? [] : project.publisher_arns) : can(regex(local.principal_arn_pattern, arn))
      ]
    ]))
    error_message = "publisher_arns must be ARNs of IAM roles or users, without wildcards: an account or a `*` would let in everybody there."
  }

  validation {
    condition = alltrue([
      for project in [for project in values(var.projects) : merge(local.absent[""], project)] :
      project.schedule == null ? true : can(regex(local.schedule_pattern, project.schedule))
    ])
    error_message = "schedule must be rate(<n> minutes|hours|days), cron(<six fields>) or at(yyyy-mm-ddThh:mm:ss), as EventBridge Scheduler takes them."
  }

  validation {
    condition = alltrue([
      for project in [for project in values(var.projects) : merge(local.absent[""], project)] :
      project.schedule == null ? true : length(project.schedule) <= 256
    ])
    error_message = "schedule must be at most 256 characters long, which is what EventBridge Scheduler takes."
  }

  validation {
    condition = alltrue([
      for project in [for project in values(var.projects) : merge(local.absent[""], project)] :
      length(join("','", project.publisher_arns == null ? [] : project.publisher_arns)) <= 28000
    ])
    error_message = "publisher_arns of a project may have 28000 characters in all: they stand in its topic's policy, which SNS bounds at 30 KB."
  }

  validation {
    condition = alltrue([for project in [for project in values(var.projects) : merge(local.absent[""], project)] :
    project.schedule == null || project.require_commit != true])
    error_message = "A project with require_commit can have no schedule: a clock knows no commit that CI has tested."
  }

  # Not the default's main and master: one of them seldom exists, and the build for it would fail each time.
  validation {
    condition = alltrue([
      for project in [for project in values(var.projects) : merge(local.absent[""], project)] :
      project.schedule == null ? true : anytrue([
        for branch in(project.branches == null ? [] : project.branches) : !endswith(branch, "/*")
      ])
    ])
    error_message = "A project with a schedule must name in branches at least one whole branch to deploy; prefixes are not scheduled, and what stands in an external register is not known here."
  }
}

locals {
  schedule_pattern = join("|", [
    "^rate\\([1-9][0-9]{0,4} (minute|hour|day)s?\\)$",
    "^cron\\([^ ()]+( [^ ()]+){5}\\)$",
    "^at\\([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\)$",
  ])
}

variable "shared_topic" {
  description = "Whether there is a topic on which any project may be named, as for CI calls made for the original form. Whoever may publish there can trigger every project."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.shared_topic || length(local.projects) > 0 && alltrue([for project in values(local.projects) : project.own_topic])
    error_message = "Without the shared topic every project needs own_topic = true, and there must be a project: nothing else could be triggered."
  }

  validation {
    condition     = var.shared_topic || length(var.publisher_arns) == 0
    error_message = "publisher_arns may publish on the shared topic, which is off. Name them in the projects' publisher_arns."
  }
}

variable "own_topics_by_prefix" {
  description = "Let the queue take triggers from every topic of this account and region whose name starts with config_path and two hyphens, for more projects with own_topic than its policy can name one by one. The cost: whoever may create such a topic, subscribe and publish to it can trigger the project of that name."
  type        = bool
  default     = false
  nullable    = false
}

variable "credentials" {
  description = "Git credentials by project, each a JSON document with authToken, or basicUsername and basicPassword, or sshPrivateKey and knownHosts. Needed on every plan and apply for the projects that have a credentials_version, and for no others; never kept in state or plan. Set it by TF_VAR_credentials."
  type        = map(string)
  default     = {}
  nullable    = false
  ephemeral   = true
  sensitive   = true

  validation {
    condition = sort(keys(var.credentials)) == sort([
      for name, project in local.projects : name if project.credentials_version != null
    ])
    error_message = "Must hold a document for each project with a credentials_version, and for no other. The provider wants it on every plan, though it writes it only when credentials_version changes."
  }

  validation {
    condition = alltrue([
      for document in values(var.credentials) : contains(
        ["authToken", "authToken,basicUsername", "basicPassword,basicUsername", "knownHosts,sshPrivateKey"],
        can(keys(jsondecode(document))) ? join(",", sort(keys(jsondecode(document)))) : "no JSON object",
      )
    ])
    error_message = "Each must be a JSON object with the keys authToken (basicUsername beside it if the host wants a certain one), or basicUsername and basicPassword, or sshPrivateKey and knownHosts."
  }

  validation {
    condition     = alltrue([for document in values(var.credentials) : length(document) <= 8192])
    error_message = "Each must be at most 8192 characters long, which is what a parameter holds. Of knownHosts only the lines of the one host are needed."
  }
}

locals {
  # A role or a user, named exactly: no account, no wildcard.
  principal_arn_pattern = "^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$"
}

variable "credential_keeper_arns" {
  description = "Roles or users that may decrypt credentials beside the builds: those that run Terraform with a credentials_version, since the provider reads every parameter back, decrypted. They can read the credentials of all projects."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.credential_keeper_arns : can(regex(local.principal_arn_pattern, arn))])
    error_message = "Must be ARNs of IAM roles or users, without wildcards: arn:aws:iam::123456789012:role/name."
  }

  validation {
    condition     = length(join("','", var.credential_keeper_arns)) <= 28000
    error_message = "Their ARNs have ${length(join("','", var.credential_keeper_arns))} characters, and 28000 have room in the key's policy, which KMS bounds at 32 KB."
  }

  validation {
    condition = length(var.credential_keeper_arns) > 0 || alltrue([
      for project in values(local.projects) : project.credentials_version == null
    ])
    error_message = "A project has a credentials_version, so the role that runs Terraform must be named here: the provider could not read back what it wrote. Or leave credentials_version out and use `iwomp secret set`."
  }
}

variable "publisher_arns" {
  description = "IAM roles or users that the shared topic's own policy lets publish. Needed for other accounts only; in this one, attach the output `publisher_policy` to the CI's identity."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.publisher_arns : can(regex(local.principal_arn_pattern, arn))])
    error_message = "Must be ARNs of IAM roles or users, without wildcards: an account or a `*` would let in everybody there."
  }

  validation {
    condition     = length(join("','", var.publisher_arns)) <= 28000
    error_message = "Their ARNs have ${length(join("','", var.publisher_arns))} characters, and 28000 have room in the topic's policy, which SNS bounds at 30 KB."
  }
}

variable "register_keeper_arns" {
  description = "Roles or users that may change the register without an alarm, such as the one that runs Terraform. Of a role it is the role's own ARN, not a session's. Whoever else does is reported, if the account has a CloudTrail trail."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.register_keeper_arns : can(regex(local.principal_arn_pattern, arn))])
    error_message = "Must be ARNs of IAM roles or users, without wildcards: arn:aws:iam::123456789012:role/name."
  }

  validation {
    condition     = length(join(",", var.register_keeper_arns)) <= 2048
    error_message = "Too many: the notifier gets them in its environment, for which Lambda has 4 KB in all."
  }
}

variable "retry_seconds" {
  description = "The longest delay between two tries of a trigger that has to wait; the first ones come sooner."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.retry_seconds == floor(var.retry_seconds) && var.retry_seconds >= 20 && var.retry_seconds <= 3600
    error_message = "Must be a whole number from 20 (the launcher runs for up to 15 seconds) to 3600."
  }
}

variable "max_wait_seconds" {
  description = "How long a trigger may wait, for a build before it or for AWS, until it becomes a dead letter and raises the alarm. By default 12 hours."
  type        = number
  default     = 43200
  nullable    = false

  validation {
    condition     = var.max_wait_seconds == floor(var.max_wait_seconds) && var.max_wait_seconds >= 60 && var.max_wait_seconds <= 604800
    error_message = "Must be a whole number from 60 to 604800, 7 days: SQS deletes a message after 14, dead or alive, and a dead letter needs time to be seen."
  }

  validation {
    # As max_receive_count in queue.tf: a validation has to name its own variable.
    condition     = ceil(var.max_wait_seconds / (var.retry_seconds / 2)) + 120 <= 1000
    error_message = "SQS counts to a thousand tries: max_wait_seconds may be at most 440 times retry_seconds. Make retry_seconds larger, too."
  }
}

variable "builds_per_hour" {
  description = "How many builds of a project may start in an hour; further triggers wait. It bounds what a CI that publishes without end can cost."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.builds_per_hour == floor(var.builds_per_hour) && var.builds_per_hour >= 1 && var.builds_per_hour <= 100
    error_message = "Must be a whole number from 1 to 100, which is how many builds the launcher looks back upon."
  }
}

variable "launcher_concurrency" {
  description = "How many launchers may run at once. Two is AWS's minimum and enough for hundreds of projects."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition = alltrue([
      var.launcher_concurrency >= 2,
      var.launcher_concurrency <= 1000,
      var.launcher_concurrency == floor(var.launcher_concurrency),
    ])
    error_message = "Must be a whole number from 2 to 1000, the limits of an SQS event source."
  }
}

variable "log_retention_days" {
  description = "How long the logs of launcher, notifier and builds are kept."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "Must be one of CloudWatch's choices: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "deployed_records_days" {
  description = "After how many days without a deployment the notifier removes the record of what is live of a branch that `branches` allows only by a prefix (`release/*`). Records of branches that the register has allowed in no way for 30 days go, too. 0: no record is ever removed. SSM keeps 10,000 parameters in a region."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition = var.deployed_records_days == 0 || (
      var.deployed_records_days >= 30 && var.deployed_records_days <= 3650 && floor(var.deployed_records_days) == var.deployed_records_days
    )
    error_message = "Must be a whole number of days from 30 to 3650, or 0 for never. Without its record, any old commit of a branch can be pinned."
  }
}

variable "metrics_from_build_logs" {
  description = "Let CloudWatch count what a deployment's output tells it to. For an account that has a METRIC_EXTRACTION_POLICY already which holds for /aws/codebuild/<config_path>-, since two must not overlap. Otherwise a command can ring the alarms, and run up metrics."
  type        = bool
  default     = false
  nullable    = false
}

variable "deploy_roles_only" {
  description = "Let no project hold a right of its own: each must name a deploy_role_arn of another account, and policy_arns, policy_json and other_role_arns are refused. For an account that holds the pipeline and nothing else, which is the recommended form: examples/own-account."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.deploy_roles_only || length(local.projects_with_rights) == 0
    error_message = "With deploy_roles_only no project may have policy_arns, policy_json or other_role_arns; these have: ${join(", ", local.projects_with_rights)}. Give the rights to its deploy role."
  }

  validation {
    condition     = !var.deploy_roles_only || alltrue([for project in values(local.projects) : project.deploy_role_arn != null])
    error_message = "With deploy_roles_only every project needs a deploy_role_arn; these have none: ${join(", ", [for name, project in local.projects : name if project.deploy_role_arn == null])}."
  }
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds every role and user made here: launcher, notifier, scheduler, builds, publishers. It must allow what they need, and takes the place of the builds' own boundary: see modules/project."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary == null || can(
      regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary)
    )
    error_message = "Must be the ARN of a managed policy: arn:aws:iam::123456789012:policy/name."
  }
}

variable "dashboard" {
  description = "Make a CloudWatch dashboard, <config_path>--<region>--pipeline: results, durations, waits, refusals, the newest deployments and the alarms. AWS bills 3 USD a month for one, beyond the first three of an account."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of what an alarm notifies, such as an SNS topic of the people on call. Neither a topic of triggers nor that of the reports, where only the notifier may publish."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.alarm_actions : can(regex("^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{0,12}:.+$", arn))
    ])
    error_message = "Must be ARNs."
  }

  validation {
    condition     = length(var.alarm_actions) <= 5
    error_message = "There are ${length(var.alarm_actions)}, and CloudWatch takes 5 of an alarm: let one of them be a topic for the rest."
  }
}

variable "github_app" {
  description = "A GitHub App whose tokens, each for one repository and revoked after use, take the place of stored Git credentials in the projects that say github_app = true: its id (or client id), and the ARN that `iwomp github-app import-key` gave its private key in KMS. For an Enterprise Server also api_url (https://HOST/api/v3) and, behind a private authority, ca_bundle. Null: there is none, and nothing is made for one."
  type = object({
    app_id    = string
    key       = string
    api_url   = optional(string, "https://api.github.com")
    ca_bundle = optional(string)
  })
  default = null

  validation {
    condition     = var.github_app == null ? true : can(regex("^[A-Za-z0-9.]+$", var.github_app.app_id))
    error_message = "app_id must be the App's id, or its client id, as its settings at GitHub show them."
  }

  validation {
    condition     = var.github_app == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.github_app.key))
    error_message = "key must be the ARN of the key in KMS that `iwomp github-app import-key FILE` prints; the private key itself belongs into no variable."
  }

  validation {
    condition     = var.github_app == null ? true : can(regex("^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9/._-]*)?$", var.github_app.api_url))
    error_message = "api_url must be the https:// URL of GitHub's API: https://HOST/api/v3 of an Enterprise Server."
  }

  validation {
    condition     = try(length(var.github_app.ca_bundle), 0) <= 3000
    error_message = "ca_bundle may have 3000 characters: Lambda has 4 KB for all variables, and only the one certificate authority is needed."
  }

  validation {
    condition     = var.github_app != null || alltrue([for project in values(local.projects) : project.github_app != true])
    error_message = "A project says github_app, and the pipeline has no github_app."
  }
}

variable "broker_concurrency" {
  description = "How many calls of the broker run at once at most: a project's command may call its own alias as often as it likes, and uses up the account's concurrent executions otherwise. Null: no bound; a new account can reserve none."
  type        = number
  default     = null

  validation {
    condition     = var.broker_concurrency == null ? true : var.broker_concurrency >= 1 && floor(var.broker_concurrency) == var.broker_concurrency
    error_message = "Must be a whole number of at least 1, or null."
  }
}

variable "courier_vpc" {
  description = "Subnets and security groups for the courier, which tells Git hosts and chats how deployments went, and, with github_app, the broker: for hosts in a network of one's own, whose targets say private = true. From there it must reach SSM, KMS, SQS and SNS, EventBridge with event_bus_arn, and Lambda with github_app, by endpoints or a NAT gateway, and for public hosts the internet. Null: it runs outside of any network of yours, and reaches public hosts."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "event_bus_arn" {
  description = "ARN of an event bus of Amazon EventBridge, on which the courier puts an event for each target of the kind eventbridge. Its source is iwomp: whoever else may put such events there can forge one. Null: there is none."
  type        = string
  default     = null

  validation {
    condition     = var.event_bus_arn == null ? true : can(regex("^arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$", var.event_bus_arn))
    error_message = "Must be the ARN of an event bus."
  }
}
