projects = {
  landscape = {
    git_url        = "https://gitlab.com/example/landscape.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    publisher      = { ci = "gitlab", subjects = ["project_path:example/landscape:ref_type:branch:ref:main"] }
    policy_arns    = ["arn:aws:iam::123456789012:policy/deploy-landscape"]

    # Every git that the command starts gets the project's credential, for gitlab.com alone. So can whatever else it runs: the
    # token opens this repository and those of the modules, to read, and nothing more.
    git_access = true
  }
}
