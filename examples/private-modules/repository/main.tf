terraform {
  backend "s3" {
    bucket       = "example-projects-state"
    key          = "landscape.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

module "network" {
  # Of the host that git_url names. A tag, and best one that is protected there: a branch would be what nobody has tested.
  source = "git::https://gitlab.com/example/modules/network.git?ref=v1.4.0"

  range = "10.0.0.0/16"
}
