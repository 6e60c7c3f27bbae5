#!/usr/bin/env bash
# What worker/image.sh promises, shown with a container tool and an AWS CLI that only write down what they were asked.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
url=123456789012.dkr.ecr.eu-west-1.amazonaws.com/iwomp
passed=0
failed=0

main() {
  copy_the_context
  make_fakes
  unset ARCHITECTURE CONTAINER_TOOL
  export PATH="$work/bin:$PATH" CALLS="$work/calls"

  local before
  before=$(tag)
  check "the tag is 16 hex digits" matches "$before" '^[0-9a-f]{16}$'
  check "the same content has the same tag" same "$before" "$(tag)"
  check "a build argument changes the tag" differ "$before" "$(tag AWS_CDK_VERSION=2.0.0)"
  check "the processor changes the tag" differ "$before" "$(ARCHITECTURE=arm64 tag)"
  check "arguments cannot be shifted into each other" differ "$(tag A=1 B=2)" "$(tag 'A=1 B=2')"
  echo "// changed" >>"$work/tree/worker/src/main.rs"
  check "a source changes the tag" differ "$before" "$(tag)"
  before=$(tag)
  echo "secret" >"$work/tree/worker/.env"
  check "what the context does not admit leaves the tag alone" same "$before" "$(tag)"
  check "an unknown processor is an error" fails env ARCHITECTURE=mips "$work/tree/worker/image.sh" tag

  check "a docker command without its engine is passed over" same podman "$(image tool)"

  export PRESENT=1
  run push "$url"
  check "a tag that the repository has is not built" absent '^podman build'
  check "nor pushed" absent '^podman push'
  check "but its digest is told" same sha256:fake "$(cat "$work/stdout")"

  export PRESENT=0
  run push "$url" AWS_CDK_VERSION=2.0.0
  check "a new tag is built with its arguments" present '^podman build .*--build-arg AWS_CDK_VERSION=2\.0\.0 \.$'
  check "and pushed under the content's hash" present "^podman push $url:$(tag AWS_CDK_VERSION=2.0.0)$"
  check "and nothing but its digest is printed" same sha256:fake "$(cat "$work/stdout")"
  check "the registry's password is no argument" absent 'registry-password.*'
  check "it goes through standard input" same registry-password "$(cat "$work/stdin")"
  check "the login is given back" present '^podman logout 123456789012'

  FAIL_PUSH=1 run push "$url"
  check "also when the push fails" present '^podman logout 123456789012'
  check "and the failure is the script's" differ 0 "$status"

  export PRESENT=denied
  run push "$url"
  check "a refused question to ECR ends it before anything is built" absent '^podman build'
  check "as a failure" differ 0 "$status"

  echo "$passed passed, $failed failed"
  [[ $failed == 0 ]]
}

# A copy, so that changing a source to see the tag change touches nobody's checkout.
copy_the_context() {
  local path
  mkdir "$work/tree"
  for path in .dockerignore worker/Dockerfile worker/image.sh $(sed -n 's/^!//p' "$repository/.dockerignore"); do
    mkdir -p "$work/tree/$(dirname "$path")"
    cp -R "$repository/$path" "$work/tree/$path"
  done
}

make_fakes() {
  mkdir "$work/bin"
  cat >"$work/bin/docker" <<'FAKE'
#!/bin/sh
exit 1
FAKE
  cat >"$work/bin/podman" <<'FAKE'
#!/bin/sh
echo "podman $*" >>"$CALLS"
case $1 in
  login) cat >"$CALLS.stdin" ;;
  push) test -z "${FAIL_PUSH:-}" ;;
esac
FAKE
  cat >"$work/bin/aws" <<'FAKE'
#!/bin/sh
echo "aws $*" >>"$CALLS"
case "$* $PRESENT" in
  *imageDigest*) echo "sha256:fake" ; exit ;;
esac
case "$2 $PRESENT" in
  "batch-get-image denied") exit 254 ;;
  batch-get-image*) echo "$PRESENT" ;;
  get-login-password*) echo registry-password ;;
esac
FAKE
  chmod +x "$work"/bin/*
}

image() {
  "$work/tree/worker/image.sh" "$@"
}

tag() {
  image tag "$@"
}

# Runs image.sh on an empty record of calls; its exit status is kept in $status.
run() {
  : >"$CALLS"
  status=0
  image "$@" >"$work/stdout" 2>/dev/null || status=$?
  if [[ -e $CALLS.stdin ]]; then mv "$CALLS.stdin" "$work/stdin"; fi
}

check() {
  local sentence=$1
  shift
  if "$@"; then
    echo "ok      $sentence"
    passed=$((passed + 1))
  else
    echo "FAILED  $sentence"
    failed=$((failed + 1))
  fi
}

matches() { grep --quiet --extended-regexp "$2" <<<"$1"; }
same() { [[ $1 == "$2" ]]; }
differ() { [[ $1 != "$2" ]]; }
fails() { ! "$@" >/dev/null 2>&1; }
present() { grep --quiet --extended-regexp "$1" "$CALLS"; }
absent() { ! present "$1"; }

main
