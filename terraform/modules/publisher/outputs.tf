output "identity_arn" {
  description = "ARN of the role, or of the user."
  value       = local.is_user ? aws_iam_user.this[0].arn : aws_iam_role.this[0].arn
}

output "user_name" {
  description = "Name of the user to make an access key for; null for a role."
  value       = local.is_user ? local.name : null
}

output "provider_arn" {
  description = "The identity provider of the issuer, for the next project with the same; null for a user."
  value       = local.is_user ? null : local.provider_arn
}

output "topic_arn" {
  description = "The topic to publish to."
  value       = var.topic_arn
}

output "setup" {
  description = "What to paste into the CI."
  value       = local.setups[var.ci]
}

locals {
  # As text, so that a plan already shows it.
  role_arn = "arn:${local.account.partition}:iam::${local.account.id}:role/${local.name}"

  # The AWS CLI takes the token from a file by itself. `printf` keeps a branch's name one string: the launcher refuses what
  # is no JSON, or no branch.
  publish = {
    for ci, names in {
      gitlab    = ["CI_COMMIT_BRANCH", "CI_COMMIT_SHA"]
      circleci  = ["CIRCLE_BRANCH", "CIRCLE_SHA1"]
      bitbucket = ["BITBUCKET_BRANCH", "BITBUCKET_COMMIT"]
      buildkite = ["BUILDKITE_BRANCH", "BUILDKITE_COMMIT"]
      custom    = ["BRANCH", "COMMIT"]
      user      = ["BRANCH", "COMMIT"]
      } : ci => join(" ", [
        "aws sns publish --region ${local.account.region} --topic-arn ${var.topic_arn} --message",
        format("\"$(printf '{\"branch\":\"%%s\",\"commit\":\"%%s\"}' \"$%s\" \"$%s\")\"", names...),
    ])
  }

  setups = {
    github = <<-YAML
      # A job that needs the tests, on pushes to the branch; "needs" and "on" are yours.
      permissions:
        id-token: write
      steps:
        - uses: aws-actions/configure-aws-credentials@<commit hash>
          with:
            role-to-assume: ${local.role_arn}
            aws-region: ${local.account.region}
        - env:
            BRANCH: $${{ github.ref_name }}
            COMMIT: $${{ github.sha }}
          run: >-
            ${local.publish.custom}
    YAML

    gitlab = <<-YAML
      deploy:
        # A later stage than the tests.
        rules: [{ if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH }]
        id_tokens: { AWS_TOKEN: { aud: ${local.audience} } }
        variables: { AWS_ROLE_ARN: "${local.role_arn}", AWS_WEB_IDENTITY_TOKEN_FILE: /tmp/token }
        script:
          - printf %s "$AWS_TOKEN" >"$AWS_WEB_IDENTITY_TOKEN_FILE"
          - >-
            ${local.publish.gitlab}
    YAML

    circleci = <<-YAML
      # A job that requires the tests, on the branch.
      environment:
        AWS_ROLE_ARN: ${local.role_arn}
        AWS_WEB_IDENTITY_TOKEN_FILE: /tmp/token
      steps:
        - run: printf %s "$CIRCLE_OIDC_TOKEN_V2" >"$AWS_WEB_IDENTITY_TOKEN_FILE"
        - run: >-
            ${local.publish.circleci}
    YAML

    bitbucket = <<-YAML
      # In `branches:`, after the tests.
      - step:
          oidc: true
          deployment: <the environment of the subject>
          script:
            - export AWS_ROLE_ARN=${local.role_arn} AWS_WEB_IDENTITY_TOKEN_FILE=/tmp/token
            - printf %s "$BITBUCKET_STEP_OIDC_TOKEN" >"$AWS_WEB_IDENTITY_TOKEN_FILE"
            - >-
              ${local.publish.bitbucket}
    YAML

    buildkite = <<-YAML
      # After a `wait` for the tests.
      - branches: <the branch of the subject>
        env:
          AWS_ROLE_ARN: ${local.role_arn}
          AWS_WEB_IDENTITY_TOKEN_FILE: /tmp/token
        command:
          - buildkite-agent oidc request-token --audience ${local.audience} >"$$AWS_WEB_IDENTITY_TOKEN_FILE"
          - >-
            ${replace(local.publish.buildkite, "$", "$$")}
    YAML

    custom = <<-TEXT
      # In a job after the tests. The token, made out for ${local.audience}, goes into the file.
      export AWS_ROLE_ARN=${local.role_arn}
      export AWS_WEB_IDENTITY_TOKEN_FILE=/tmp/token
      ${local.publish.custom}
    TEXT

    user = <<-TEXT
      # Once, by an administrator: an access key, for the CI's store of secrets. It is shown this one time.
      aws iam create-access-key --user-name ${local.name}
      # In a job after the tests, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from that store:
      ${local.publish.user}
      # Every few months a new one: make it, put it into the CI, see it work, then
      aws iam delete-access-key --user-name ${local.name} --access-key-id <the old one>
    TEXT
  }
}
