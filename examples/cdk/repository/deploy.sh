#!/bin/sh
# Started by iwomp in a checkout of exactly one commit.
set -eu
# The application's libraries, exactly as its lock file has them, without running any of their scripts. cdk is the image's.
[ ! -e package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
cdk deploy --all --require-approval never --ci --no-notices --no-version-reporting
