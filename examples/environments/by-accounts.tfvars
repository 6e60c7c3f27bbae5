# As by projects, and each environment is an account of its own: here the projects hold no right at all, and take a role there,
# which examples/own-account/deploy-role makes.
deploy_roles_only = true
shared_topic      = false

projects = {
  store-staging = {
    git_url         = "https://github.com/example/store.git"
    command         = "deploy.sh"
    branches        = ["main"]
    environment     = { STAGE = "staging" }
    own_topic       = true
    require_commit  = true
    publisher       = { ci = "github", subjects = ["repo:example/store:ref:refs/heads/main"], read = "status" }
    deploy_role_arn = "arn:aws:iam::210987654321:role/deploy/store-staging"
  }

  store-production = {
    git_url         = "https://github.com/example/store.git"
    command         = "deploy.sh"
    branches        = ["main"]
    environment     = { STAGE = "production" }
    own_topic       = true
    require_commit  = true
    publisher       = { ci = "github", subjects = ["repo:example/store:environment:production"], read = "status" }
    deploy_role_arn = "arn:aws:iam::321098765432:role/deploy/store-production"
  }
}
