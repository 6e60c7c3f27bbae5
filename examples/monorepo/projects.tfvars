# One repository, three projects: each with a role, a topic and a log of its own. None can deploy what is another's.
projects = {
  web = {
    git_url        = "https://github.com/example/platform.git"
    command        = "deploy.sh"
    deploy_dir     = "services/web"
    sparse         = true # these files alone are fetched, and those that stand in a directory above them
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    unchanged      = "skip"
    publisher      = { ci = "github", subjects = ["repo:example/platform:ref:refs/heads/main"] }
    policy_arns    = ["arn:aws:iam::123456789012:policy/deploy-web"]
  }

  api = {
    git_url        = "https://github.com/example/platform.git"
    command        = "deploy.sh"
    deploy_dir     = "services/api"
    sparse         = true
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    unchanged      = "skip"
    publisher      = { ci = "github", subjects = ["repo:example/platform:ref:refs/heads/main"] }
    policy_arns    = ["arn:aws:iam::123456789012:policy/deploy-api"]
  }

  network = {
    git_url        = "https://github.com/example/platform.git"
    command        = "deploy.sh"
    deploy_dir     = "infrastructure/network"
    sparse         = true
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    unchanged      = "skip"
    # Who may change the network is asked by more than a branch: such a commit is signed by one of them.
    allowed_signers = <<-KEYS
      ops@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIvZoRYEhYeZ42+2zj6OMbdmlauwgmNIjCniSm/7flP6
    KEYS
    publisher       = { ci = "github", subjects = ["repo:example/platform:environment:network"] }
    policy_arns     = ["arn:aws:iam::123456789012:policy/deploy-network"]
  }
}
