projects = {
  website = {
    git_url        = "https://github.com/example/website.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    publisher      = { ci = "github", subjects = ["repo:example/website:ref:refs/heads/main"] }

    # One stack, and what is in it: CloudFormation makes it with the rights of whoever calls.
    policy_json = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [
          {
            "Sid": "OwnStack",
            "Effect": "Allow",
            "Action": [
              "cloudformation:CreateChangeSet",
              "cloudformation:DescribeChangeSet",
              "cloudformation:DescribeStackEvents",
              "cloudformation:DescribeStacks",
              "cloudformation:ExecuteChangeSet",
              "cloudformation:GetTemplateSummary"
            ],
            "Resource": "arn:aws:cloudformation:*:123456789012:stack/website/*"
          },
          {
            "Sid": "WhatIsInIt",
            "Effect": "Allow",
            "Action": "ssm:*",
            "Resource": "arn:aws:ssm:*:123456789012:parameter/website/*"
          }
        ]
      }
    JSON
  }
}
