#!/usr/bin/env bash
# Builds the deployer image and looks inside it, without any network of its own. Optional, because it needs a container
# tool and takes minutes: make image-check.
#
#   worker/tests/image.sh [NAME=VALUE ...]    build arguments, as for worker/image.sh
#
# shellcheck disable=SC2016 # single quotes: the text is for the shell in the image
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tool=$(worker/image.sh tool)
image=$(worker/image.sh build "$@")
passed=0
failed=0

main() {
  local bundle=/etc/ssl/certs/ca-certificates.crt

  expect "the deployer is there with a home" '^1000 deployer /home/deployer$' sh -c 'echo $(id -u) $(id -un) ~'
  expect "the deployer can write at home" '^written$' sh -c 'touch ~/probe && echo written'
  expect "the deployer cannot change what it runs" '^no$' sh -c 'test -w /usr/local/bin/iwomp-worker && echo yes || echo no'
  expect "git can send a bearer token (2.46 or later)" '^git version 2\.(4[6-9]|[5-9][0-9])' git --version
  expect "gpg is there, to check signatures" '^gpg \(GnuPG\) 2' gpg --version
  expect "ssh is there" '^OpenSSH_' ssh -V
  expect "the AWS CLI is version 2" '^aws-cli/2\.' aws --version
  expect "Node is there" '^v[0-9]+\.' node --version
  expect "npm is there" '^[0-9]+\.' npm --version
  expect "the CDK is version 2" '^2\.' cdk --version
  expect "Terraform is there" '^Terraform v1\.' terraform version
  # Of this machine's Terraform where that stands in.
  expect "OpenTofu is there" '^(OpenTofu|Terraform) v1\.' tofu version
  expect "public certificate authorities are trusted" '^yes$' sh -c "test -s $bundle && echo yes"
  expect "no source, toolchain or git directory is left" '^none$' \
    sh -c 'ls -d /build /usr/local/cargo /usr/local/rustup /.git 2>/dev/null || echo none'
  expect "the worker says that the image can deploy" 'looked at: nothing stands in the way$' iwomp-worker doctor
  expect "the worker tells the tools and their versions" '^terraform +Terraform v1\.' iwomp-worker --versions
  expect "without its variables the worker says which and fails" 'CONFIGPATH.*PROJECTNAME.*GITBRANCH.* status [1-9]' \
    bash -c 'iwomp-worker 2>&1 | tr "\n" " "; echo " status ${PIPESTATUS[0]}"'

  echo "$passed passed, $failed failed"
  [[ $failed == 0 ]]
}

# expect SENTENCE PATTERN COMMAND...: what the command prints in the image matches the pattern.
expect() {
  local sentence=$1 pattern=$2 output
  shift 2
  output=$(in_image "$@" 2>&1) || true
  if grep --quiet --extended-regexp "$pattern" <<<"$output"; then
    echo "ok      $sentence"
    passed=$((passed + 1))
  else
    printf 'FAILED  %s\n        expected %s, got:\n%s\n' "$sentence" "$pattern" "$output"
    failed=$((failed + 1))
  fi
}

# As the buildspec's `run-as` does.
in_image() {
  if [[ $tool == buildah ]]; then
    local container status=0
    container=$(buildah from "$image")
    buildah run --user deployer "$container" -- "$@" || status=$?
    buildah rm "$container" >/dev/null
    return "$status"
  fi
  "$tool" run --rm --user deployer --network none "$image" "$@"
}

main
