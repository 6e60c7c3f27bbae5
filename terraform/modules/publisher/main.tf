# Who CI is, for one project: a role that its jobs get for their OpenID Connect token, or a user for a CI that has none. Its
# only right is to publish on that project's topic; if `read` says so, it sees that project's builds, too.

locals {
  is_user = var.ci == "user"

  topic   = split(":", var.topic_arn)
  account = { partition = local.topic[1], region = local.topic[3], id = local.topic[4] }

  # A topic's name with the region behind the pipeline's (names.tf of the root), because IAM knows no regions; a dot, which no
  # project's name can have, keeps it apart from those of the builds' roles. 64 is IAM's limit; the hash keeps two long names
  # apart that differ only behind the cut.
  topic_words = split("--", local.topic[5])
  full_name   = "${join("--", concat([local.topic_words[0], local.account.region], slice(local.topic_words, 1, length(local.topic_words))))}.publisher"
  name = length(local.full_name) <= 64 ? local.full_name : join("-", [
    substr(local.full_name, 0, 55),
    substr(sha256(local.full_name), 0, 8),
  ])

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AskForDeployments"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = var.topic_arn
    }]
  })

  # What CI may look at to wait for the end of what it asked for. CodeBuild project and topic have one name (names.tf of the
  # root). CodeBuild knows no right to single builds, so it is all of the project's: their variables and phases, in which no
  # secret is. What is live, the register and whatever else is a parameter stays closed.
  builds_arn = "arn:${local.account.partition}:codebuild:${local.account.region}:${local.account.id}:project/${local.topic[5]}"
  # A stream is a build's. Without a right to the group nothing can be searched or listed.
  streams_arn = "arn:${local.account.partition}:logs:${local.account.region}:${local.account.id}:log-group:/aws/codebuild/${local.topic[5]}:log-stream:*"
  see_builds = {
    Sid      = "SeeOwnBuilds"
    Effect   = "Allow"
    Action   = ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"]
    Resource = local.builds_arn
  }
  see_logs = {
    Sid      = "SeeOwnLogs"
    Effect   = "Allow"
    Action   = "logs:GetLogEvents"
    Resource = local.streams_arn
  }
  read_statements = {
    status = [local.see_builds]
    log    = [local.see_builds, local.see_logs]
  }
  # A policy of its own, whose name says what was asked for: `iwomp verify-boundary` holds the identity to that.
  reads = {
    for level in compact([var.read]) : "read-${level}" => jsonencode({
      Version   = "2012-10-17"
      Statement = local.read_statements[level]
    })
  }
}

# --- a role, for tokens ---

# The account has one identity provider for each issuer, and others may rely on it: it is not made here, where `destroy` would
# take it from them, but once, by modules/identity_provider. Without it the plan fails and names it.
data "aws_iam_openid_connect_provider" "this" {
  count = local.is_user ? 0 : 1

  arn = local.provider_arn
}

# One that an earlier version made here stays in the account, and leaves the state.
removed {
  from = aws_iam_openid_connect_provider.this

  lifecycle {
    destroy = false
  }
}

resource "aws_iam_role" "this" {
  count = local.is_user ? 0 : 1

  name                 = local.name
  description          = "Publishes triggers to ${local.topic[5]}${var.read == null ? "" : ", sees its builds"}, and nothing else"
  permissions_boundary = var.permissions_boundary
  # The shortest there is: a job publishes once, and seldom waits for longer.
  max_session_duration = 3600

  assume_role_policy = local.trust_policy

  lifecycle {
    precondition {
      condition     = length(local.trust_policy) <= 2048
      error_message = "The subjects make a trust policy of ${length(local.trust_policy)} characters, and IAM takes 2048. Name fewer: one branch, or one environment."
    }

    precondition {
      condition     = contains(data.aws_iam_openid_connect_provider.this[0].client_id_list, local.audience)
      error_message = "${local.provider_arn} does not take tokens made out for ${local.audience}: aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${local.provider_arn} --client-id ${local.audience}"
    }
  }
}

resource "aws_iam_role_policy" "publish" {
  count = local.is_user ? 0 : 1

  name   = "publish"
  role   = aws_iam_role.this[0].id
  policy = local.policy
}

resource "aws_iam_role_policy" "read" {
  for_each = local.is_user ? {} : local.reads

  name   = each.key
  role   = aws_iam_role.this[0].id
  policy = each.value
}

locals {
  provider_arn = coalesce(
    var.provider_arn,
    "arn:${local.account.partition}:iam::${local.account.id}:oidc-provider/${local.issuer}",
  )

  trust_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "JobsOfThisProject"
      Effect    = "Allow"
      Principal = { Federated = local.provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = local.token_conditions
    }]
  })

  # Audience and subject, both, by StringEquals: an issuer signs tokens for everybody who has an account there, and an
  # absent key does not equal anything. Never IfExists or ForAllValues, which an absent key satisfies.
  #
  # Two CIs put something new into the subject of each job. There the only wildcard is that tail, and it is this module that
  # writes it, behind a colon, which what stands before it cannot contain.
  tails = { bitbucket = ":*", buildkite = ":commit:*" }
  tail  = lookup(local.tails, var.ci, null)

  token_conditions = {
    for operator, conditions in {
      StringEquals = merge(
        { "${local.issuer}:aud" = local.audience },
        { for subjects in [var.subjects] : "${local.issuer}:sub" => sort(subjects) if local.tail == null },
      )
      StringLike = {
        for tail in compact([local.tail]) : "${local.issuer}:sub" => sort([for subject in var.subjects : "${subject}${tail}"])
      }
    } : operator => conditions if length(conditions) > 0
  }
}

# --- a user, for a CI without tokens ---

# Its access key is made by hand, as the output `setup` says: made here, it would be in the state.
resource "aws_iam_user" "this" {
  #checkov:skip=CKV_AWS_273:For a CI that cannot have a role. Single sign-on is for people.
  count = local.is_user ? 1 : 0

  name                 = local.name
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_user_policy" "publish" {
  #checkov:skip=CKV_AWS_40:A group with one member for ever would only be one more place to look at.
  count = local.is_user ? 1 : 0

  name   = "publish"
  user   = aws_iam_user.this[0].name
  policy = local.policy
}

resource "aws_iam_user_policy" "read" {
  #checkov:skip=CKV_AWS_40:As above.
  for_each = local.is_user ? local.reads : {}

  name   = each.key
  user   = aws_iam_user.this[0].name
  policy = each.value
}
