projects = {
  pages = {
    git_url        = "https://github.com/example/pages.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    publisher      = { ci = "github", subjects = ["repo:example/pages:ref:refs/heads/main"] }

    # By its digest: what the build runs is then what was looked at.
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/deployer-pulumi@sha256:0f8b9a1f6e0b5b3b1d6e2a8f4c7d9e0a1b2c3d4e5f60718293a4b5c6d7e8f901"

    policy_json = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [
          {
            "Sid": "OwnState",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::example-pulumi", "arn:aws:s3:::example-pulumi/pages/*"]
          },
          {
            "Sid": "ItsSecrets",
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"],
            "Resource": "arn:aws:kms:eu-central-1:123456789012:key/22222222-3333-4444-5555-666666666666"
          },
          {
            "Sid": "WhatIsInIt",
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::example-pages", "arn:aws:s3:::example-pages/*"]
          }
        ]
      }
    JSON
  }
}
