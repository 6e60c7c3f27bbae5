# A project an environment: each has a role, a topic, a log and a record of what is live of its own, and can be paused alone.
projects = {
  shop-staging = {
    git_url        = "https://github.com/example/shop.git"
    command        = "deploy.sh"
    branches       = ["main"]
    environment    = { STAGE = "staging" }
    own_topic      = true
    require_commit = true
    publisher      = { ci = "github", subjects = ["repo:example/shop:ref:refs/heads/main"], read = "status" }
    policy_arns    = ["arn:aws:iam::123456789012:policy/deploy-shop-staging"]
  }

  shop-production = {
    git_url        = "https://github.com/example/shop.git"
    command        = "deploy.sh"
    branches       = ["main"]
    environment    = { STAGE = "production" }
    own_topic      = true
    require_commit = true
    # An environment of GitHub's, for which it asks the reviewers.
    publisher   = { ci = "github", subjects = ["repo:example/shop:environment:production"], read = "status" }
    policy_arns = ["arn:aws:iam::123456789012:policy/deploy-shop-production"]
  }
}
