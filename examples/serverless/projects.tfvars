projects = {
  orders = {
    git_url        = "https://github.com/example/orders.git"
    command        = "deploy.sh"
    branches       = ["main"]
    own_topic      = true
    require_commit = true
    publisher      = { ci = "github", subjects = ["repo:example/orders:ref:refs/heads/main"] }

    # One stack, what is in it, and the objects that it is made from. The functions' role lies under the project's path.
    policy_json = <<-JSON
      {
        "Version": "2012-10-17",
        "Statement": [
          {
            "Sid": "OwnStack",
            "Effect": "Allow",
            "Action": "cloudformation:*",
            "Resource": "arn:aws:cloudformation:*:123456789012:stack/orders-production/*"
          },
          {
            "Sid": "LookAround",
            "Effect": "Allow",
            "Action": ["cloudformation:ValidateTemplate", "logs:DescribeLogGroups"],
            "Resource": "*"
          },
          {
            "Sid": "ItsPackages",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": ["arn:aws:s3:::example-packages", "arn:aws:s3:::example-packages/serverless/orders/*"]
          },
          {
            "Sid": "ItsFunctions",
            "Effect": "Allow",
            "Action": ["lambda:*", "logs:*"],
            "Resource": [
              "arn:aws:lambda:*:123456789012:function:orders-production-*",
              "arn:aws:logs:*:123456789012:log-group:/aws/lambda/orders-production-*"
            ]
          },
          {
            "Sid": "ItsApi",
            "Effect": "Allow",
            "Action": "apigateway:*",
            "Resource": "arn:aws:apigateway:*::/*"
          },
          {
            "Sid": "ItsRole",
            "Effect": "Allow",
            "Action": "iam:*",
            "Resource": "arn:aws:iam::123456789012:role/iwomp-in-aws/eu-central-1/orders/*"
          }
        ]
      }
    JSON
  }
}
