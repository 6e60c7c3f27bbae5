projects = {
  site = {
    git_url        = "https://github.com/example/site.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    publisher      = { ci = "github", subjects = ["repo:example/site:ref:refs/heads/main"] }

    # The roles that `cdk bootstrap` made. They are not of the project's making, so each has to be lent to it by its whole
    # name, or the boundary denies it; and it needs the right to take them.
    other_role_arns = [
      "arn:aws:iam::123456789012:role/cdk-hnb659fds-deploy-role-123456789012-eu-central-1",
      "arn:aws:iam::123456789012:role/cdk-hnb659fds-file-publishing-role-123456789012-eu-central-1",
      "arn:aws:iam::123456789012:role/cdk-hnb659fds-image-publishing-role-123456789012-eu-central-1",
      "arn:aws:iam::123456789012:role/cdk-hnb659fds-lookup-role-123456789012-eu-central-1",
    ]
    policy_json = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [{
          "Sid": "TheRolesOfBootstrap",
          "Effect": "Allow",
          "Action": "sts:AssumeRole",
          "Resource": "arn:aws:iam::123456789012:role/cdk-hnb659fds-*"
        }]
      }
    JSON
  }
}
