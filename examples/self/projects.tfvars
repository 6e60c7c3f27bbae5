# Into your terraform.tfvars, which in this form is committed: git add --force terraform/terraform.tfvars.

# No project holds a right in this account, but to take its deploy role.
deploy_roles_only = true
shared_topic      = false

# The output of examples/self. Every role that the pipeline has carries it, or the deploy role cannot make it.
permissions_boundary = "arn:aws:iam::123456789012:policy/deploy/iwomp-in-aws-ceiling"

projects = {
  self = {
    git_url         = "https://github.com/example/our-iwomp.git"
    command         = "examples/self/deploy.sh"
    branches        = ["main"]
    own_topic       = true
    require_commit  = true
    timeout_minutes = 60
    deploy_role_arn = "arn:aws:iam::123456789012:role/deploy/iwomp-in-aws"

    # Better: only what these have signed. Whoever can push to main owns the pipeline.
    # allowed_signers = <<-KEYS
    #   ops@example.com ssh-ed25519 AAAA...
    # KEYS
  }
}
