# What each CI's tokens say, as their documentation tells. A claim that a CI changes makes its jobs fail, not pass.
#
# github     https://docs.github.com/en/actions/reference/security/oidc
#            repo:OWNER/NAME:ref:refs/heads/BRANCH, or :environment:NAME for a job with an environment; a repository that was
#            made, renamed or moved after 15 July 2026: repo:OWNER@ID/NAME@ID:..., which survives a recycled name.
# gitlab     https://docs.gitlab.com/ci/secrets/id_token_authentication/
#            project_path:GROUP/NAME:ref_type:branch:ref:BRANCH. The job chooses the audience; GitLab's own guide for AWS
#            takes the address of the instance.
# circleci   https://circleci.com/docs/openid-connect-tokens/ (of CIRCLE_OIDC_TOKEN_V2, the one that names the branch)
#            org/ID/project/ID/user/ID/vcs-origin/HOST/OWNER/NAME/vcs-ref/refs/heads/BRANCH, one for each user whose pushes
#            may deploy. Issuer and audience are the organisation's.
# bitbucket  https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/
#            {REPOSITORY}:{ENVIRONMENT}:{STEP}. A step without a deployment environment has none in its subject, and any
#            branch could have sent it: such subjects are not taken.
# buildkite  https://buildkite.com/docs/pipelines/security/oidc/aws
#            organization:SLUG:pipeline:SLUG:ref:refs/heads/BRANCH:commit:ID:step:KEY.

locals {
  issuer_urls = {
    github    = "https://token.actions.githubusercontent.com"
    gitlab    = "https://gitlab.com"
    buildkite = "https://agent.buildkite.com"
  }

  # Without its scheme, as ARNs and condition keys have it.
  issuer = try(
    trimprefix(coalesce(
      var.provider_arn == null ? null : replace(var.provider_arn, "/^[^/]*\\//", ""),
      var.issuer_url,
      lookup(local.issuer_urls, var.ci, null),
    ), "https://"),
    "", # coalesce found none: a validation of `subjects` says so
  )
  audiences = {
    github    = "sts.amazonaws.com"
    gitlab    = "https://${local.issuer}"
    buildkite = "sts.amazonaws.com"
    circleci  = reverse(split("/", local.issuer))[0]
  }
  audience = var.audience != null ? var.audience : lookup(local.audiences, var.ci, "")

  uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

  issuer_patterns = {
    circleci  = "^oidc\\.circleci\\.com/org/${local.uuid}$"
    bitbucket = "^api\\.bitbucket\\.org/2\\.0/workspaces/[A-Za-z0-9_-]+/pipelines-config/identity/oidc$"
    buildkite = "^agent\\.buildkite\\.com$"
  }

  # A branch, or an environment that the CI itself lets only some branches use. Not pull requests, and not tags, which
  # whoever may push can make.
  subject_patterns = {
    github    = "^repo:[A-Za-z0-9_.-]+(@[0-9]+)?/[A-Za-z0-9_.-]+(@[0-9]+)?:(ref:refs/heads/[^:]+|environment:[^:]+)$"
    gitlab    = "^project_path:[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+:ref_type:branch:ref:[^:]+$"
    circleci  = "^org/${local.uuid}/project/${local.uuid}/user/${local.uuid}/vcs-origin/[A-Za-z0-9_./-]+/vcs-ref/refs/heads/.+$"
    bitbucket = "^\\{${local.uuid}\\}:\\{${local.uuid}\\}$"
    buildkite = "^organization:[A-Za-z0-9_-]+:pipeline:[A-Za-z0-9_-]+:ref:refs/heads/[^:]+$"
  }
}
