projects = {
  network = {
    git_url        = "https://github.com/example/network.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    publisher      = { ci = "github", subjects = ["repo:example/network:ref:refs/heads/main"] }

    # # With OpenTofu.
    # environment  = { TERRAFORM = "tofu" }
    # image_target = "opentofu"

    # Its own state and lock, as main.tf of the repository names them, and what its resources are.
    policy_json = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [
          {
            "Sid": "FindState",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::example-projects-state",
            "Condition": { "StringLike": { "s3:prefix": ["env:/*", "network.tfstate*"] } }
          },
          {
            "Sid": "OwnState",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::example-projects-state/network.tfstate"
          },
          {
            "Sid": "Lock",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::example-projects-state/network.tfstate.tflock"
          },
          {
            "Sid": "WhatItMakes",
            "Effect": "Allow",
            "Action": "ssm:*",
            "Resource": "arn:aws:ssm:*:123456789012:parameter/network/*"
          },
          {
            "Sid": "TheProviderLists",
            "Effect": "Allow",
            "Action": "ssm:DescribeParameters",
            "Resource": "*"
          }
        ]
      }
    JSON
  }
}
