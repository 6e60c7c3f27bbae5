projects = {
  # By HTTPS, with a token: a deploy token or a project access token, with the right `read_repository` and no other.
  #   iwomp secret set intranet --yes < token.txt
  intranet = {
    git_url        = "https://gitlab.corp.example/tools/intranet.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    policy_arns    = ["arn:aws:iam::123456789012:policy/deploy-intranet"]

    # The authority that signed the host's certificate: this one, and no other, is believed of that host.
    ca_bundle = <<-PEM
      -----BEGIN CERTIFICATE-----
      MIIBojCCAUegAwIBAgIUQ1GmEbPBjMU1HqI9GuAxOGQmNFIwCgYIKoZIzj0EAwIw
      JTEjMCEGA1UEAwwaQW4gZXhhbXBsZSBvZiBhIHByaXZhdGUgQ0EwIBcNMjYxMTI2
      MjA0MzQ3WhgPMjEyNjExMDIyMDQzNDdaMCUxIzAhBgNVBAMMGkFuIGV4YW1wbGUg
      b2YgYSBwcml2YXRlIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEU0Nl8iG/
      +sCC5zydV2F0zF2pQiFXWZNlrs3WBKZJeJ6jxTFfG3oDiQqr0dEXmKRCay36VKry
      IS0iLTC2alD91KNTMFEwHQYDVR0OBBYEFNIL5UN25AnEsHC9p6Yk2OIyNVkQMB8G
      A1UdIwQYMBaAFNIL5UN25AnEsHC9p6Yk2OIyNVkQMA8GA1UdEwEB/wQFMAMBAf8w
      CgYIKoZIzj0EAwIDSQAwRgIhAMj1Rm6+YpsAdLxoWfUVnzP0uakWek2pSbcc2Cuh
      l2yVAiEAprcaA1k7rausPfYaH4n0LJa9S4/xpzMQZVq6HzwZAPs=
      -----END CERTIFICATE-----
    PEM

    # AWS asks an issuer of tokens for its keys over the internet, and cannot reach this one: CI gets an access key.
    publisher = { ci = "user", read = "status" }

    # Only from this network the host is reached. The courier, which tells it how a deployment went, needs courier_vpc.
    vpc = {
      vpc_id             = "vpc-0a1b2c3d4e5f60718"
      subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
      security_group_ids = ["sg-0a1b2c3d4e5f60718"]
    }
    notify = [{ to = "gitlab", private = true }]
  }

  # By SSH, with a deploy key. No certificate is looked at: the host is known by its key.
  #   iwomp secret set archive --file credentials.json   # sshPrivateKey and knownHosts
  archive = {
    git_url        = "git@gitlab.corp.example:tools/archive.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    policy_arns    = ["arn:aws:iam::123456789012:policy/deploy-archive"]
    publisher      = { ci = "user", read = "status" }
    vpc = {
      vpc_id             = "vpc-0a1b2c3d4e5f60718"
      subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
      security_group_ids = ["sg-0a1b2c3d4e5f60718"]
    }
  }
}

# The same for the courier.
courier_vpc = {
  subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
  security_group_ids = ["sg-0a1b2c3d4e5f60718"]
}
