# The files of variables of examples/, as a user's Terraform reads them.

terraform {
  required_providers {
    terraform = {
      source = "terraform.io/builtin/terraform"
    }
  }
}

locals {
  examples = "${path.module}/../../../examples"
  files    = { for name in fileset(local.examples, "*/*.tfvars") : name => provider::terraform::decode_tfvars(file("${local.examples}/${name}")) }
}

output "files" {
  description = "By file: its variables."
  value       = local.files
}

output "projects" {
  description = "The projects of all files that say nothing of the pipeline itself, called after the file, too: several have a network."
  value = merge([
    for name, variables in local.files : {
      for project, entry in variables.projects : "${replace(trimsuffix(name, ".tfvars"), "/", "-")}-${project}" => entry
    } if !can(variables.deploy_roles_only)
  ]...)
}
