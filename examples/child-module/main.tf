# The pipeline within one's own configuration: what a project may do is said beside the things that it may do it to.

module "pipeline" {
  # In yours, by version: git::https://github.com/example/iwomp.git//terraform?ref=v1.0.0
  source = "../../terraform"

  shared_topic = false
  launcher_zip = var.launcher_zip
  notifier_zip = var.notifier_zip
  image_tag    = var.image_tag

  # Who changes the register without an alarm: whoever runs this.
  register_keeper_arns = [data.aws_iam_session_context.this.issuer_arn]
  alarm_actions        = [aws_sns_topic.on_call.arn]

  projects = {
    handbook = {
      git_url        = "https://github.com/example/handbook.git"
      command        = "deploy.sh" # aws s3 sync, say
      branches       = ["main"]
      own_topic      = true
      require_commit = true
      publisher      = { ci = "github", subjects = ["repo:example/handbook:ref:refs/heads/main"] }
      environment    = { PAGES = aws_s3_bucket.pages.bucket }
      policy_json = jsonencode({
        Version = "2012-10-17"
        Statement = [
          {
            Sid      = "List"
            Effect   = "Allow"
            Action   = "s3:ListBucket"
            Resource = aws_s3_bucket.pages.arn
          },
          {
            Sid      = "Publish"
            Effect   = "Allow"
            Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
            Resource = "${aws_s3_bucket.pages.arn}/*"
          },
        ]
      })
    }
  }
}

resource "aws_s3_bucket" "pages" {
  bucket = var.pages_bucket
}

# Subscribe to it whoever is on call.
resource "aws_sns_topic" "on_call" {
  name = "on-call"
}

data "aws_caller_identity" "this" {}

# Of a session, the role that it is of.
data "aws_iam_session_context" "this" {
  arn = data.aws_caller_identity.this.arn
}
