variable "name" {
  description = "Name of the project, as CI sends it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", var.name))
    error_message = "A project's name must be 1 to 63 of A-Z a-z 0-9 _ - and start with a letter or digit."
  }
}

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

# --- the register entry ---

variable "git_url" {
  description = "Repository to deploy: https://host/path, ssh://git@host/path or git@host:path. Required, unless the register is external."
  type        = string
  default     = null

  validation {
    condition = var.git_url == null || anytrue([
      for pattern in local.git_url_patterns : can(regex(pattern, var.git_url))
    ])
    error_message = "Project ${var.name}: git_url must be https://host/path, ssh://user@host/path or user@host:path, with a DNS name as host and no password, query or fragment."
  }

  validation {
    condition = var.git_url == null ? true : alltrue([
      length(var.git_url) <= 1024,
      !can(regex("[/:]\\.{1,2}(/|$)", var.git_url)),
      !can(regex("^https://[^/]*:443/", var.git_url)),
    ])
    error_message = "Project ${var.name}: git_url must be in normal form (no default port, no . or .. segment) and at most 1024 characters long."
  }
}

locals {
  # The last label of a host starts with a letter: 127.1 and 0x7f.1 are addresses to a resolver.
  host_pattern = "([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
  user_pattern = "[A-Za-z0-9_][A-Za-z0-9._-]*"
  path_pattern = "([A-Za-z0-9._~+-]|%20)([A-Za-z0-9/._~+-]|%20)*"

  git_url_patterns = [
    "^https://${local.host_pattern}(:[1-9][0-9]{0,4})?/+${local.path_pattern}$",
    "^ssh://(${local.user_pattern}@)?${local.host_pattern}(:[1-9][0-9]{0,4})?/+${local.path_pattern}$",
    "^${local.user_pattern}@${local.host_pattern}:/*${local.path_pattern}$",
  ]
}

variable "command" {
  description = "Executable in deploy_dir, or on the worker's path, that deploys; it gets the branch as its only argument. Either this or command_vector."
  type        = string
  default     = null

  validation {
    condition     = var.command == null ? true : var.command != ""
    error_message = "Project ${var.name}: command must name an executable."
  }

  validation {
    condition     = var.command == null ? true : !can(regex("[\\s\"'`$;&|<>]", var.command))
    error_message = "Project ${var.name}: command is one executable and not a command line, for no shell reads it: give the words as command_vector, as in [\"./deploy.sh\", \"prod\"]."
  }
}

variable "command_vector" {
  description = "Program and arguments, run exactly so: no shell, nothing appended."
  type        = list(string)
  default     = null

  validation {
    condition     = var.command_vector == null ? true : join("", slice(concat(var.command_vector, [""]), 0, 1)) != ""
    error_message = "Project ${var.name}: command_vector must start with an executable."
  }
}

variable "deploy_dir" {
  description = "Directory of the checkout to run in. Null: the root."
  type        = string
  default     = null

  validation {
    condition = var.deploy_dir == null ? true : alltrue([
      var.deploy_dir != "",
      !startswith(var.deploy_dir, "/"),
      !contains(split("/", var.deploy_dir), ".."),
    ])
    error_message = "Project ${var.name}: deploy_dir must be a directory inside the checkout: relative, not empty, without a .. segment."
  }
}

variable "branches" {
  description = "Branches that may be deployed: exact names, or prefixes that end in /*. Null: main and master."
  type        = list(string)
  default     = null

  validation {
    condition     = var.branches == null ? true : length(var.branches) > 0
    error_message = "Project ${var.name}: branches must name at least one branch."
  }

  validation {
    condition = var.branches == null ? true : alltrue([
      for branch in [for pattern in var.branches : trimsuffix(pattern, "/*")] : alltrue([
        can(regex("^[A-Za-z0-9_][A-Za-z0-9._#+@(),-]*(/[A-Za-z0-9_#+@(),][A-Za-z0-9._#+@(),-]*){0,11}$", branch)),
        # In names of AWS each of # + @ ( ) , takes four characters: contract/src/branch.rs.
        length(replace(branch, "/[#+@(),]/", "..00")) <= 200,
        !can(regex("\\.\\.|(\\.|\\.lock)(/|$)", branch)),
        !can(regex("^(HEAD|refs/.*|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$", branch)),
      ])
    ])
    error_message = "Project ${var.name}: branches must hold exact branch names or prefixes that end in /*. A name is at most 12 segments of A-Z a-z 0-9 . _ - # + @ ( ) , joined by /, the first starting with a letter, digit or _; at most 200 characters, of which # + @ ( ) , count four each; no .., no segment that starts with . or - or ends in . or .lock; not HEAD, not refs/..., not a commit id."
  }
}

variable "auth_scheme" {
  description = "How a token is sent over HTTPS: basic, as the password of the user that the host wants, or bearer. Null: basic."
  type        = string
  default     = null

  validation {
    condition     = var.auth_scheme == null ? true : contains(["basic", "bearer"], var.auth_scheme)
    error_message = "Project ${var.name}: auth_scheme must be basic or bearer."
  }
}

variable "ca_bundle" {
  description = "PEM certificates to trust for git_url, for a Git server behind a private CA. Null: the image's."
  type        = string
  default     = null

  validation {
    condition = var.ca_bundle == null ? true : alltrue([
      strcontains(var.ca_bundle, "-----BEGIN CERTIFICATE-----"),
      alltrue([
        for block in slice(split("-----BEGIN ", var.ca_bundle), 1, length(split("-----BEGIN ", var.ca_bundle))) :
        startswith(block, "CERTIFICATE-----") && strcontains(block, "\n-----END CERTIFICATE-----")
      ]),
    ])
    error_message = "Project ${var.name}: ca_bundle must be whole certificates in PEM form, in lines, and nothing else. Withdraw a private key that stood there."
  }

  validation {
    condition     = var.ca_bundle == null ? true : !strcontains(var.ca_bundle, "\\n")
    error_message = "Project ${var.name}: ca_bundle has \\n as two characters where its lines end: write real line ends, or file(...)."
  }
}

variable "require_commit" {
  description = "Refuse triggers that name no commit, so that exactly what CI tested is deployed. Null: they deploy the head of the branch."
  type        = bool
  default     = null
}

variable "first_parent" {
  description = "Whether a commit must be on the first-parent line of its branch: the head, its first parent, and so on. With false, one from a merged side branch will do. Null: true."
  type        = bool
  default     = null
}

variable "pinned" {
  description = "Which commit a trigger may name: branch, any that first_parent lets pass, or head, only the head of the branch when the build fetches it, so that an older one is superseded. Null: branch."
  type        = string
  default     = null

  validation {
    condition     = var.pinned == null ? true : contains(["branch", "head"], var.pinned)
    error_message = "Project ${var.name}: pinned must be branch or head."
  }
}

variable "submodules" {
  description = "What to do where the tree below deploy_dir has submodules: refuse the commit, ignore them, whose directories are then empty, or fetch them from the repository's own host. Null: refuse."
  type        = string
  default     = null

  validation {
    condition     = var.submodules == null ? true : contains(["refuse", "ignore", "fetch"], var.submodules)
    error_message = "Project ${var.name}: submodules must be refuse, ignore or fetch."
  }
}

variable "lfs" {
  description = "What to do where the tree below deploy_dir has pointers of Git LFS: refuse the commit, ignore that they stand in the place of the files, or fetch the files from the repository's own host, for which git_url must be https. Null: refuse."
  type        = string
  default     = null

  validation {
    condition     = var.lfs == null ? true : contains(["refuse", "ignore", "fetch"], var.lfs)
    error_message = "Project ${var.name}: lfs must be refuse, ignore or fetch."
  }

  validation {
    condition     = var.lfs != "fetch" || var.git_url == null ? true : startswith(lower(var.git_url), "https://")
    error_message = "Project ${var.name}: with lfs = \"fetch\", git_url must be https://."
  }
}

variable "sparse" {
  description = "Whether of the commit's files only those below deploy_dir are fetched, and those that stand in a directory above it: for a part of a large repository. Null: no."
  type        = bool
  default     = null

  validation {
    condition = var.sparse != true ? true : alltrue([
      !alltrue([for segment in split("/", coalesce(var.deploy_dir, ".")) : contains(["", "."], segment)]),
      !strcontains(coalesce(var.deploy_dir, "."), "\n"),
    ])
    error_message = "Project ${var.name}: with sparse, deploy_dir must be a directory below the root, without line ends: without one, nothing can be left out."
  }

  validation {
    condition     = var.sparse != true || var.tags != true
    error_message = "Project ${var.name}: sparse cannot stand beside tags, with which the files of all commits are fetched."
  }

  validation {
    condition     = var.sparse != true || var.accepted_git_faults == null ? true : length(var.accepted_git_faults) == 0
    error_message = "Project ${var.name}: sparse cannot stand beside accepted_git_faults: git accepts none where files are left out."
  }
}

variable "tags" {
  description = "Whether the tags that point into the branch's history come along, for git describe. Null: no."
  type        = bool
  default     = null
}

variable "accepted_git_faults" {
  description = "Faults of old commits, by the names that git fsck gives them, that are no reason to refuse the repository. Only harmless ones can be named. Null: none."
  type        = list(string)
  default     = null

  validation {
    condition = var.accepted_git_faults == null ? true : length(setsubtract(var.accepted_git_faults, [
      "badDate", "badDateOverflow", "badEmail", "badName", "badTimezone", "missingEmail", "missingNameBeforeEmail",
      "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "zeroPaddedDate", "zeroPaddedFilemode",
    ])) == 0
    error_message = "Project ${var.name}: accepted_git_faults can hold badDate, badDateOverflow, badEmail, badName, badTimezone, missingEmail, missingNameBeforeEmail, missingSpaceBeforeDate, missingSpaceBeforeEmail, zeroPaddedDate and zeroPaddedFilemode; no other fault is harmless."
  }
}

variable "git_access" {
  description = "Whether the command gets the project's Git credential, for the host of git_url and no other, as for private modules there. The command and whatever it runs can then read it. Null: no."
  type        = bool
  default     = null
}

variable "github_app" {
  description = "Whether the project's Git credential is a token of the pipeline's GitHub App, made for each build; git_url must be https, at the App's GitHub. Null: no."
  type        = bool
  default     = null

  validation {
    condition     = var.github_app != true || var.git_url == null ? true : startswith(lower(var.git_url), "https://")
    error_message = "Project ${var.name}: with github_app, git_url must be https://."
  }

  validation {
    condition     = var.github_app != true || var.auth_scheme == null && var.credentials_version == null
    error_message = "Project ${var.name}: github_app gives the credential, and how it is sent: leave out credentials_version and auth_scheme."
  }
}

variable "allowed_signers" {
  description = "Public keys of which one must have signed the commit: lines of an SSH allowed_signers file, or a GPG public key in ASCII armour. Null: signatures are not looked at."
  type        = string
  default     = null

  # Not cert-authority, in any case, which ssh-keygen takes too: whoever holds that authority could add signers without the
  # register knowing.
  validation {
    condition = var.allowed_signers == null ? true : (
      can(regex("^\\s*-----BEGIN PGP PUBLIC KEY BLOCK-----", var.allowed_signers)) || alltrue([
        can(regex("(?m)^\\s*[^#\\s]", var.allowed_signers)),
        !can(regex("(?im)^\\s*[^#\\s].*cert-authority", var.allowed_signers)),
        alltrue([
          for line in split("\n", var.allowed_signers) :
          can(regex("^\\s*(#.*)?$|^\\s*[^#\\s]\\S*(\\s.*)?\\s(ssh-ed25519\\s+AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}|ssh-rsa\\s+AAAAB3NzaC1yc2EAAAA[A-Za-z0-9+/]{170,}|ecdsa-sha2-nistp(256|384|521)\\s+AAAAE2VjZHNhLXNoYTItbmlzdHA[A-Za-z0-9+/]{100,}|sk-ssh-ed25519@openssh.com\\s+AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t[A-Za-z0-9+/]{40,}|sk-ecdsa-sha2-nistp256@openssh.com\\s+AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20[A-Za-z0-9+/]{90,})=*(\\s|$)", line))
        ]),
      ])
    )
    error_message = "Project ${var.name}: allowed_signers must be lines of an allowed_signers file (principal and whole SSH key, no cert-authority) or an armoured GPG key."
  }
}

variable "deploy_role_arn" {
  description = "A role, of this account or another, whose session the command gets instead of the build's own credentials. Its trust policy must name this project's role (README.md); the session lasts an hour. Null: the build's own."
  type        = string
  default     = null

  validation {
    condition = var.deploy_role_arn == null ? true : can(
      regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/([A-Za-z0-9+=,.@_/-]{0,511})[A-Za-z0-9+=,.@_-]$", var.deploy_role_arn)
    )
    error_message = "Project ${var.name}: deploy_role_arn must be the ARN of one IAM role: arn:aws:iam::123456789012:role/name."
  }
}

variable "environment" {
  description = "Variables to add to the command's environment, by name: at most 50, of 2048 bytes in all. No secret: everybody who may read the register sees them."
  type        = map(string)
  default     = null

  validation {
    condition = var.environment == null ? true : alltrue([
      for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]{0,63}$", name))
    ])
    error_message = "Project ${var.name}: environment must have names of A-Z a-z 0-9 _, at most 64 of them, the first no digit."
  }

  # As contract/src/environment.rs has it, where each is explained.
  validation {
    condition = var.environment == null ? true : !anytrue([
      for name in keys(var.environment) : can(regex("^((IWOMP|CODEBUILD|AWS|GIT|SSH|LD|DYLD|BASH|GLIBC)_.*|PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|TMPDIR|IFS|ENV|PS4|PROMPT_COMMAND|SHELLOPTS|CONFIGPATH|PROJECTNAME|GITBRANCH|GITCOMMIT|TRIGGERID|TIMELIMITSECONDS)$", upper(name)))
    ])
    error_message = "Project ${var.name}: environment must not set what others set: PATH, HOME, USER, SHELL, TMPDIR and their kin, and names that begin with IWOMP_, CODEBUILD_, AWS_, GIT_, SSH_, LD_, DYLD_, BASH_ or GLIBC_."
  }

  validation {
    condition = var.environment == null ? true : !anytrue([
      for name in keys(var.environment) : can(regex("(^|_)((TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|KEY|APIKEY|PAT|CREDENTIAL|CREDS|CRED|AUTH|PRIVATE|BEARER)S*|[A-Z0-9]*(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|CREDENTIAL)S*)(_|$)", upper(name)))
    ])
    error_message = "Project ${var.name}: environment must hold no secret, and one of its names speaks of one (token, key, password, ...): keep it in Secrets Manager or SSM, give the project's role the right to read it, and tell the command where it is."
  }

  validation {
    condition = var.environment == null ? true : alltrue([
      length(var.environment) <= 50,
      sum(concat([0], [for name, value in var.environment : length(name) + length(value)])) <= 2048,
    ])
    error_message = "Project ${var.name}: environment must be at most 50 variables of 2048 bytes in all, names and values."
  }
}

variable "unchanged" {
  description = "What to do where the commit to deploy is live already: run the command again, which puts right what was changed by hand, or skip it. Null: run."
  type        = string
  default     = null

  validation {
    condition     = var.unchanged == null ? true : contains(["run", "skip"], var.unchanged)
    error_message = "Project ${var.name}: unchanged must be run or skip."
  }
}

variable "external_register" {
  description = "The register entry is managed elsewhere, by hand or by another Terraform: make everything but it."
  type        = bool
  default     = false
  nullable    = false

  # deploy_role_arn may be set all the same: the parameter names the role, this lets the build assume it.
  #
  # Here and not beside each field, because two variables whose validations name each other are a cycle to Terraform.
  validation {
    condition     = var.external_register || var.git_url != null
    error_message = "Project ${var.name}: git_url is required, unless external_register is set."
  }

  validation {
    condition     = var.external_register || (var.command == null) != (var.command_vector == null)
    error_message = "Project ${var.name}: exactly one of command and command_vector is required, unless external_register is set."
  }

  validation {
    condition = !var.external_register || alltrue([
      var.git_url == null,
      var.command == null,
      var.command_vector == null,
      var.deploy_dir == null,
      var.branches == null,
      var.auth_scheme == null,
      var.ca_bundle == null,
      var.require_commit == null,
      var.first_parent == null,
      var.pinned == null,
      var.submodules == null,
      var.lfs == null,
      var.sparse == null,
      var.tags == null,
      var.accepted_git_faults == null,
      var.git_access == null,
      var.notify == null,
      var.allowed_signers == null,
      var.unchanged == null,
      var.environment == null,
    ])
    error_message = "Project ${var.name}: with external_register, git_url, command, command_vector, deploy_dir, branches, auth_scheme, ca_bundle, require_commit, first_parent, pinned, submodules, lfs, sparse, tags, accepted_git_faults, git_access, notify, allowed_signers, unchanged and environment belong into the parameter; set here they would do nothing."
  }
}

# --- who is told ---

variable "notify" {
  description = "Who is told how a trigger or its build stands: objects of `to` (github, gitlab, gitea, bitbucket, bitbucketServer, azureDevops, slack, teams, discord, webhook or eventbridge) and, where wanted, `name` (the kind, if there is one of it), `on` (of waiting, running, succeeded, failed, refused, expired, stopped, timedOut, superseded, unchanged, held; else what ended with something to do), `environment` (of github: tell its deployments as well) and `private` (true: its host may have a private address). Where the target is and its token are a secret of their own, which `iwomp secret set --target` stores. Null: nobody."
  # Not a list of objects: Terraform would drop a misspelt field without a word.
  type    = any
  default = null

  validation {
    condition     = var.notify == null ? true : alltrue([for target in var.notify : length(setsubtract(keys(target), ["to", "name", "on", "environment", "private"])) == 0])
    error_message = "Project ${var.name}: each object of notify can have to, name, on, environment and private, and nothing else."
  }

  validation {
    condition = var.notify == null ? true : alltrue([
      for target in var.notify :
      contains(["github", "gitlab", "gitea", "bitbucket", "bitbucketServer", "azureDevops", "slack", "teams", "discord", "webhook", "eventbridge"], lookup(target, "to", ""))
    ])
    error_message = "Project ${var.name}: each object of notify must have as to one of github, gitlab, gitea, bitbucket, bitbucketServer, azureDevops, slack, teams, discord, webhook and eventbridge."
  }

  validation {
    condition     = var.notify == null ? true : alltrue([for target in var.notify : lookup(target, "name", null) == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,31}$", target.name))])
    error_message = "Project ${var.name}: a name in notify must be at most 32 of A-Z a-z 0-9 -, the first no -."
  }

  validation {
    condition = var.notify == null ? true : (
      length(var.notify) <= 10 &&
      length(distinct([for target in var.notify : lookup(target, "name", null) == null ? lookup(target, "to", "") : tostring(target.name)])) == length(var.notify)
    )
    error_message = "Project ${var.name}: notify must be at most 10 objects, and no two may have one name: give each of two targets of a kind a name of its own."
  }

  validation {
    condition = var.notify == null ? true : alltrue([
      for target in var.notify : lookup(target, "on", null) == null ? true : try(
        length(target.on) > 0 && length(setsubtract(target.on, ["waiting", "running", "succeeded", "failed", "refused", "expired", "stopped", "timedOut", "superseded", "unchanged", "held"])) == 0,
        false,
      )
    ])
    error_message = "Project ${var.name}: on in notify must be a list of waiting, running, succeeded, failed, refused, expired, stopped, timedOut, superseded, unchanged and held."
  }

  validation {
    condition     = var.notify == null ? true : alltrue([for target in var.notify : lookup(target, "environment", null) == null ? true : lookup(target, "to", "") == "github" && can(regex("^[A-Za-z0-9._/-]([A-Za-z0-9 ._/-]{0,98}[A-Za-z0-9._/-])?$", target.environment))])
    error_message = "Project ${var.name}: environment in notify is for github only, and must be at most 100 of A-Z a-z 0-9 space . _ - /, no space at an end."
  }

  validation {
    condition     = var.notify == null ? true : alltrue([for target in var.notify : can(tobool(lookup(target, "private", false)))])
    error_message = "Project ${var.name}: private in notify must be true or false."
  }
}

# --- credentials ---

variable "credentials_version" {
  description = "Raise it by one to write `credentials` again. Null: the parameter is not managed here, but by `iwomp secret set` or by hand."
  type        = number
  default     = null

  validation {
    condition = var.credentials_version == null ? true : alltrue([
      var.credentials_version >= 1,
      var.credentials_version == floor(var.credentials_version),
    ])
    error_message = "Project ${var.name}: credentials_version must be a whole number, from 1."
  }
}

variable "credentials" {
  description = "Git credentials as the JSON document of the contract, never kept in state or plan."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "key_arn" {
  description = "Key that encrypts the credentials."
  type        = string
  nullable    = false
}

variable "broker_function" {
  description = "Name of the broker's function, or null where there is no GitHub App."
  type        = string
  default     = null
}

variable "app_key_arn" {
  description = "ARN of the key in KMS that is the GitHub App's, or null: it is nothing of this project's."
  type        = string
  default     = null
}

variable "key_alias" {
  description = "Another name of that key: alias/..."
  type        = string
  nullable    = false
}

# --- the build ---

variable "image" {
  description = "Image with the worker in it, by tag or digest."
  type        = string
  nullable    = false

  validation {
    condition = anytrue([
      for tag_or_digest in [":[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", "@sha256:[0-9a-f]{64}"] :
      can(regex("^[a-z0-9][A-Za-z0-9._/-]*(:[0-9]+/[A-Za-z0-9._/-]+)?${tag_or_digest}$", var.image))
    ])
    error_message = "Project ${var.name}: image must be registry/repository:tag or registry/repository@sha256:digest; without either it would be whatever is latest."
  }
}

variable "repository_arn" {
  description = "The pipeline's own image repository, which no build may change."
  type        = string
  nullable    = false
}

variable "architecture" {
  description = "Processor of the build: x86_64 or arm64."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Must be x86_64 or arm64."
  }
}

variable "compute_type" {
  description = "Size of the build's machine, as CodeBuild names it."
  type        = string
  default     = "BUILD_GENERAL1_SMALL"
  nullable    = false

  validation {
    condition     = can(regex("^BUILD_GENERAL1_(SMALL|MEDIUM|LARGE|XLARGE|2XLARGE)$", var.compute_type))
    error_message = "Project ${var.name}: compute_type must be BUILD_GENERAL1_SMALL, _MEDIUM, _LARGE, _XLARGE or _2XLARGE."
  }
}

variable "privileged" {
  description = "Give the build's container the rights of the machine, and start a Docker daemon for the command: for Docker assets of CDK and the like. README.md says which promises then no longer hold."
  type        = bool
  default     = false
  nullable    = false
}

variable "vpc" {
  description = "Network that the build is in, for a Git server or an endpoint that only it reaches. Its subnets have to lead to AWS, too, by a NAT gateway or endpoints. Null: AWS's own, with the internet."
  type        = object({ vpc_id = string, subnet_ids = list(string), security_group_ids = list(string) })
  default     = null

  validation {
    condition     = var.vpc == null ? true : can(regex("^vpc-[0-9a-f]+$", var.vpc.vpc_id))
    error_message = "Project ${var.name}: vpc.vpc_id must be the id of a VPC: vpc-0123456789abcdef0."
  }

  validation {
    condition = var.vpc == null ? true : alltrue([
      length(var.vpc.subnet_ids) >= 1, length(var.vpc.subnet_ids) <= 16,
      alltrue([for id in var.vpc.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))]),
    ])
    error_message = "Project ${var.name}: vpc.subnet_ids must be the ids of 1 to 16 subnets, which is what CodeBuild takes: subnet-0123456789abcdef0."
  }

  validation {
    condition = var.vpc == null ? true : alltrue([
      length(var.vpc.security_group_ids) >= 1, length(var.vpc.security_group_ids) <= 5,
      alltrue([for id in var.vpc.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))]),
    ])
    error_message = "Project ${var.name}: vpc.security_group_ids must be the ids of 1 to 5 security groups, which is what CodeBuild takes: sg-0123456789abcdef0."
  }
}

variable "timeout_minutes" {
  description = "How long a deployment may take; the command gets two minutes less."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition = alltrue([
      var.timeout_minutes >= 5,
      var.timeout_minutes <= 480,
      var.timeout_minutes == floor(var.timeout_minutes),
    ])
    error_message = "Project ${var.name}: timeout_minutes must be a whole number from 5 to 480."
  }
}

variable "log_retention_days" {
  description = "How long the build logs are kept."
  type        = number
  default     = 90
  nullable    = false
}

# --- the role ---

variable "policy_arns" {
  description = "Managed policies that the deployment needs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.policy_arns :
      can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", arn))
    ])
    error_message = "Project ${var.name}: policy_arns must be ARNs of managed policies: arn:aws:iam::123456789012:policy/name."
  }

  validation {
    condition     = length(var.policy_arns) <= 10
    error_message = "Project ${var.name}: policy_arns names ${length(var.policy_arns)} policies, and IAM attaches 10 to a role. Put several into one."
  }
}

variable "policy_json" {
  description = "A policy document with what else the deployment needs, put inline into the role."
  type        = string
  default     = null

  validation {
    condition     = var.policy_json == null ? true : can(jsondecode(var.policy_json).Statement)
    error_message = "Project ${var.name}: policy_json must be a JSON policy document with a Statement."
  }
}

variable "other_role_arns" {
  description = "Roles of this account that are not of the project's making, and that its deployments may pass to services or assume all the same. A build is then whatever each of them is, without the fence."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.other_role_arns :
      can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/([A-Za-z0-9+=,.@_/-]{0,511})[A-Za-z0-9+=,.@_-]$", arn))
    ])
    error_message = "Project ${var.name}: other_role_arns must be ARNs of single IAM roles, without a wildcard: arn:aws:iam::123456789012:role/name."
  }

  validation {
    condition     = alltrue([for arn in var.other_role_arns : !can(regex(":role/(.*/)?${var.config_path}-[^/]*$", arn))])
    error_message = "Project ${var.name}: other_role_arns must name no role of a pipeline: a build would be the launcher, or another project."
  }
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds the role in place of the project's own boundary, or null. It must allow what role.tf grants; what the fence cannot say is then for it to say: see README.md."
  type        = string
  default     = null
}
