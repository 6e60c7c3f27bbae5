#!/bin/sh
# Started by iwomp in a checkout of exactly one commit.
set -eu
export PULUMI_SKIP_UPDATE_CHECK=true
pulumi login --non-interactive "s3://example-pulumi/pages?region=$AWS_REGION"
pulumi stack select production
pulumi up --non-interactive --yes --skip-preview
