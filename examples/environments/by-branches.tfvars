# One project, an environment a branch. The command learns which one by its argument. One role has the rights of both: whoever
# may push to the branch of staging has production's, too.
projects = {
  shop = {
    git_url        = "https://github.com/example/shop.git"
    command        = "deploy.sh"
    branches       = ["staging", "production"]
    own_topic      = true
    require_commit = true
    publisher = {
      ci       = "github"
      read     = "status"
      subjects = ["repo:example/shop:ref:refs/heads/staging", "repo:example/shop:ref:refs/heads/production"]
    }
    policy_arns = ["arn:aws:iam::123456789012:policy/deploy-shop"]
  }
}
