# The fields of an entry of `projects`: the one list of them, with the kind of value that each takes.
#
# `projects` has the type `any`, because Terraform drops an attribute that an object type does not name without a word, and a
# misspelt `require_commit` would then deploy what nobody tested. The variable's validations hold every entry to this list.
#
# A new field: a line here, one in projects.tf that hands it to modules/project, and there the variable with its rules and its
# default. A field that this module uses itself gets its type and its default in local.projects below.
locals {
  entry_fields = {
    # What stands at the top of an entry.
    "" = {
      git_url           = "text"
      command           = "text"
      command_vector    = "list of texts"
      deploy_dir        = "text"
      branches          = "list of texts"
      auth_scheme       = "text"
      ca_bundle         = "text"
      external_register = "true or false"

      require_commit  = "true or false"
      first_parent    = "true or false"
      pinned          = "text"
      allowed_signers = "text"
      deploy_role_arn = "text"

      submodules          = "text"
      lfs                 = "text"
      sparse              = "true or false"
      tags                = "true or false"
      accepted_git_faults = "list of texts"
      git_access          = "true or false"
      github_app          = "true or false"

      notify = "list of objects"

      schedule  = "text"
      unchanged = "text"

      environment = "map of texts"

      own_topic      = "true or false"
      publisher_arns = "list of texts"
      publisher      = "object"

      credentials_version = "number"

      image           = "text"
      image_target    = "text"
      compute_type    = "text"
      privileged      = "true or false"
      vpc             = "object"
      timeout_minutes = "number"

      policy_arns     = "list of texts"
      policy_json     = "text"
      other_role_arns = "list of texts"
    }

    # What stands in an object of an entry, by its name.
    publisher = {
      ci           = "text"
      subjects     = "list of texts"
      issuer_url   = "text"
      provider_arn = "text"
      audience     = "text"
      read         = "text"
    }
    vpc = {
      vpc_id             = "text"
      subnet_ids         = "list of texts"
      security_group_ids = "list of texts"
    }
  }

  # The pairs of letters that a field's name is made of, by which a misspelt one finds its neighbour.
  field_pairs = {
    for part, fields in local.entry_fields : part => {
      for field in keys(fields) : field => distinct([
        for place in range(length(replace(field, "_", "")) - 1) : substr(replace(field, "_", ""), place, 2)
      ])
    }
  }

  # All fields of every entry, null where it says nothing; of those that this module uses itself, the types and defaults.
  absent = { for part, fields in local.entry_fields : part => { for field in keys(fields) : field => null } }
  projects = {
    for name, project in {
      for name, project in var.projects : name => merge(local.absent[""], project)
      } : name => merge(project, {
        branches            = project.branches == null ? null : tolist(project.branches)
        require_commit      = tobool(project.require_commit)
        schedule            = project.schedule
        own_topic           = project.own_topic == null ? false : tobool(project.own_topic)
        publisher_arns      = project.publisher_arns == null ? tolist([]) : tolist(project.publisher_arns)
        credentials_version = tonumber(project.credentials_version)
    })
  }

  # Of the worker's image; those of projects that bring none of their own.
  target_of_project = { for name, project in local.projects : name => coalesce(project.image_target, "all") if project.image == null }
  # That of all, too, where nobody runs another: teams build their own on it.
  image_targets = coalescelist(distinct(values(local.target_of_project)), ["all"])

  # Who may do something in this account beside what the worker does.
  projects_with_rights = [
    for name, project in local.projects : name
    if project.policy_json != null || anytrue([for arns in [project.policy_arns, project.other_role_arns] : try(length(arns), 0) > 0])
  ]

  publishers = {
    for name, project in local.projects : name => merge(local.absent.publisher, project.publisher) if project.publisher != null
  }
}
