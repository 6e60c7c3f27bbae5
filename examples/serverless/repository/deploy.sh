#!/bin/sh
# Started by iwomp in a checkout of exactly one commit.
set -eu
# The framework, exactly as the lock file has it, without running any script of its.
npm ci --ignore-scripts --no-audit --no-fund
SLS_TELEMETRY_DISABLED=1 SLS_NOTIFICATIONS_MODE=off npx --no-install serverless deploy
