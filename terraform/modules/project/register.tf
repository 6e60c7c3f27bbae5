locals {
  # The keys of the contract, and only those that are set: launcher and worker refuse unknown keys and null values. Two
  # expressions for `command`, because a Terraform value cannot be now a string and now a list.
  register = merge(
    {
      for key, value in {
        gitUrl     = var.git_url
        command    = var.command
        deployDir  = var.deploy_dir
        branches   = var.branches
        authScheme = var.auth_scheme
        caBundle   = var.ca_bundle

        requireCommit  = var.require_commit
        firstParent    = var.first_parent
        pinned         = var.pinned
        allowedSigners = var.allowed_signers
        deployRoleArn  = var.deploy_role_arn
        unchanged      = var.unchanged
        environment    = var.environment

        submodules        = var.submodules
        lfs               = var.lfs
        sparse            = var.sparse
        tags              = var.tags
        acceptedGitFaults = var.accepted_git_faults
        gitAccess         = var.git_access
        githubApp         = var.github_app
      } : key => value if value != null
    },
    { for key, value in { command = var.command_vector } : key => value if value != null },
    {
      for key, targets in { notify = var.notify } : key => [
        # Terraform takes "true" for true and 5 for "5"; the contract does not.
        for target in targets : merge(
          { for field, value in target : field => tostring(value) if value != null && contains(["to", "name", "environment"], field) },
          { for field, value in target : field => value if value != null && field == "on" },
          { for field, value in target : field => tobool(value) if value != null && field == "private" },
        )
      ] if targets != null
    },
  )
}

locals {
  # Bytes and not characters, of which `length` counts: three for four of Base64, less what fills it up.
  register_base64 = base64encode(jsonencode(local.register))
  register_bytes  = length(local.register_base64) / 4 * 3 - length(regex("=*$", local.register_base64))
}

resource "aws_ssm_parameter" "register" {
  #checkov:skip=CKV2_AWS_34:No secret is in it, and the launcher, which reads it, is to decrypt nothing.
  count = var.external_register ? 0 : 1

  name        = local.register_parameter
  description = "What ${var.config_path} deploys for ${var.name}. Managed by Terraform."
  type        = "String"
  # `value` would be hidden in plans, where a reviewer has to see what will run with the deploy role. No secret is in it.
  insecure_value = jsonencode(local.register)
  # Grows to an advanced parameter only where a caBundle makes it larger than 4 KB; those cost a little.
  tier = "Intelligent-Tiering"

  lifecycle {
    precondition {
      condition     = local.register_bytes <= 8192
      error_message = "Project ${var.name}: its register entry has ${local.register_bytes} bytes, and a parameter holds 8192. ca_bundle has ${length(coalesce(var.ca_bundle, " "))} of them, allowed_signers ${length(coalesce(var.allowed_signers, " "))}: only the one certificate authority is needed, not its whole bundle."
    }
  }
}

resource "aws_ssm_parameter" "credentials" {
  count = var.credentials_version == null ? 0 : 1

  name        = local.credentials_parameter
  description = "Git credentials of ${var.name}. Managed by Terraform."
  type        = "SecureString"
  # Not the default key, aws/ssm, which every principal of the account may use. But that is what SSM takes when a new value
  # comes without a key, and the provider sends the key only if this argument changes: hence, from version to version, the
  # same key by its other name.
  key_id = var.credentials_version % 2 == 1 ? var.key_arn : var.key_alias
  # Write-only: `value` would keep the credentials in the state.
  value_wo         = var.credentials
  value_wo_version = var.credentials_version
  tier             = "Intelligent-Tiering"

  lifecycle {
    postcondition {
      condition     = contains([var.key_arn, var.key_alias], self.key_id)
      error_message = "The credentials of ${var.name} are encrypted with ${self.key_id}, which many may use, and not with the pipeline's key. Raise credentials_version by one."
    }
  }
}
