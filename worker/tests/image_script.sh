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
  the_context_compiles
  copy_the_context
  make_fakes
  unset ARCHITECTURE CONTAINER_TOOL SBOM
  export PATH="$work/bin:$PATH" CALLS="$work/calls"

  local before
  before=$(tag)
  check "the tag is 16 hex digits" matches "$before" '^[0-9a-f]{16}$'
  check "the same content has the same tag" same "$before" "$(tag)"
  check "a build argument changes the tag" differ "$before" "$(tag AWS_CDK_VERSION=2.0.0)"
  check "the processor changes the tag" differ "$before" "$(ARCHITECTURE=arm64 tag)"
  check "the target changes the tag" differ "$before" "$(IMAGE_TARGET=minimal tag)"
  check "no target is all of them" same "$before" "$(IMAGE_TARGET=all tag)"
  check "arguments cannot be shifted into each other" differ "$(tag A=1 B=2)" "$(tag 'A=1 B=2')"
  echo "// changed" >>"$work/tree/worker/src/main.rs"
  check "a source changes the tag" differ "$before" "$(tag)"
  before=$(tag)
  echo "# changed" >>"$work/tree/scripts/rustc"
  check "and how it is compiled" differ "$before" "$(tag)"
  before=$(tag)
  echo "secret" >"$work/tree/worker/.env"
  check "what the image is not made of leaves the tag alone" same "$before" "$(tag)"
  the_context_follows_the_workspace
  check "an unknown target is an error" fails env IMAGE_TARGET=most "$work/tree/worker/image.sh" tag
  check "an unknown processor is an error" fails env ARCHITECTURE=mips "$work/tree/worker/image.sh" tag

  check "a docker command without its engine is passed over" same podman "$(image tool)"

  export PRESENT=1
  run push "$url"
  check "a tag that the repository has is not built" absent '^podman build'
  check "nor pushed" absent '^podman push'
  check "but its digest is told" same sha256:fake "$(cat "$work/stdout")"

  export PRESENT=0
  run push "$url" AWS_CDK_VERSION=2.0.0
  check "a new tag is built with its arguments" present '^podman build .*--target all .*--build-arg AWS_CDK_VERSION=2\.0\.0 /.*/context$'
  check "and pushed under the content's hash" present "^podman push $url:$(tag AWS_CDK_VERSION=2.0.0)$"
  check "and nothing but its digest is printed" same sha256:fake "$(cat "$work/stdout")"
  check "the registry's password is no argument" absent 'registry-password.*'
  check "it goes through standard input" same registry-password "$(cat "$work/stdin")"
  check "the login is given back" present '^podman logout 123456789012'

  FAIL_PUSH=1 run push "$url"
  check "also when the push fails" present '^podman logout 123456789012'
  check "and the failure is the script's" differ 0 "$status"

  the_list_is_of_what_was_built

  export PRESENT=denied
  run push "$url"
  check "a refused question to ECR ends it before anything is built" absent '^podman build'
  check "as a failure" differ 0 "$status"

  export PRESENT=0
  FAIL_BUILD=1 run push "$url"
  check "what could not be built is not pushed" absent '^podman (login|push)'
  check "as a failure" differ 0 "$status"

  the_region_is_the_repositorys

  echo "$passed passed, $failed failed"
  [[ $failed == 0 ]]
}

# Without compiling the AWS SDK again: what `make test` has built of it for the tests is good here, too, if tests are built; for
# `cargo check` it is not. And tests are built aside: a program would take the place of the real one in the target folder, the
# empty ones that stand for other members, too. It is what makes the image's own compilation, which `make test` leaves out, a
# matter of time and not of luck.
#
# For cargo a member is its path in the workspace: it would take those of the context for the real ones, whose place in the
# target folder they would then have. With debug information, which nothing else here has, they get a place of their own.
the_context_compiles() {
  local context=$repository/target/image-context
  rm -rf "$context"
  "$repository/worker/build_context.py" "$context"
  check "what goes into the image compiles, by the wrapper in it" \
    env CARGO_TARGET_DIR="$repository/target" RUSTC_WRAPPER="$context/scripts/rustc" \
    cargo test --quiet --locked --no-run --workspace --lib --bin iwomp-worker --manifest-path "$context/Cargo.toml" \
    --config profile.dev.debug=1 --config 'profile.dev.package."*".debug=false'
  check "and is locked as it is here" cmp "$repository/Cargo.lock" "$context/Cargo.lock"
}

# By a syft that writes down what it was told, and takes the name of the image for the whole list.
the_list_is_of_what_was_built() {
  local bill=$work/tree/target/image-all.cdx.json
  check "without syft there is no list" fails test -e "$bill"
  export SBOM=$work/bin/syft AWS_SECRET_ACCESS_KEY=canary
  run push "$url"
  check "what is in the image that is pushed is listed" same "\"$(tag)\"" "$(cat "$bill")"
  check "from a file" present '^podman save --output .*/image.tar iwomp:'
  check "by a program that is told no credentials" fails grep canary "$work/told"
  check "and has another home" fails grep --fixed-strings "HOME=$HOME" "$work/told"
  PRESENT=1 run push "$url"
  check "the list stays where the repository has that image already" same "\"$(tag)\"" "$(cat "$bill")"
  PRESENT=1 run push "$url" AWS_CDK_VERSION=2.0.0
  check "but not for another's" fails test -e "$bill"
  run push "$url"
  FAIL_BUILD=1 run push "$url"
  check "nor for that of a build that failed" fails test -e "$bill"
  FAIL_SAVE=1 run push "$url"
  check "what cannot be listed is not pushed" absent '^podman (login|push)'
  check "as a failure" differ 0 "$status"
  echo 'exit 1' >>"$work/bin/syft"
  run push "$url"
  check "whoever fails" absent '^podman (login|push)'
  check "and there is no list" fails test -e "$bill"
  unset SBOM AWS_SECRET_ACCESS_KEY
}

# A new member, a new dependency of the worker: nobody has to remember the image.
the_context_follows_the_workspace() {
  local tree=$work/tree context=$work/context before
  before=$(tag)
  mkdir -p "$tree/lambdas/another/src" "$tree/shared/src"
  printf '[package]\nname = "another"\nversion = "0.1.0"\nedition = "2024"\n' >"$tree/lambdas/another/Cargo.toml"
  printf '[package]\nname = "shared"\nversion = "0.1.0"\nedition = "2024"\n' >"$tree/shared/Cargo.toml"
  echo 'fn main() { println!("another"); }' >"$tree/lambdas/another/src/main.rs"
  echo 'pub fn shared() {}' >"$tree/shared/src/lib.rs"
  sed -i.old 's/^members = \[/&"lambdas\/another", "shared", /' "$tree/Cargo.toml"
  sed -i.old 's/^\[dependencies\]/&\nshared = { path = "..\/shared" }/' "$tree/contract/Cargo.toml"
  echo "a token" >"$tree/.env"
  ln -s /etc/passwd "$tree/worker/src/link"

  "$tree/worker/build_context.py" "$context"
  check "a new member's manifest comes along" test -f "$context/lambdas/another/Cargo.toml"
  check "but not its sources" same 'pub fn main() {}' "$(cat "$context/lambdas/another/src/main.rs")"
  check "those of what the worker depends on do" same 'pub fn shared() {}' "$(cat "$context/shared/src/lib.rs")"
  check "what is no source of theirs stays out" fails test -e "$context/.env"
  check "and what a link leads to" fails test -e "$context/worker/src/link"
  check "all of that changes the tag" differ "$before" "$(tag)"
  check "a workspace that cargo cannot read has no tag" fails env CARGO=none PATH=/usr/bin:/bin "$tree/worker/image.sh" tag
}

# Where the environment says nothing of a region, or something else, and whatever the AWS CLI takes for its default.
the_region_is_the_repositorys() {
  local registry region
  export PRESENT=1 AWS_REGION=us-east-1
  unset AWS_DEFAULT_REGION
  run push "$url"
  check "ECR is asked in the repository's region" same "" "$(grep --invert-match -- '--region eu-west-1' "$CALLS")"
  for registry in dkr.ecr.cn-north-1.amazonaws.com.cn dkr.ecr-fips.us-gov-west-1.amazonaws.com dkr-ecr.ap-south-1.on.aws; do
    region=$(cut -d . -f 2 <<<"${registry/dkr.ecr/ecr}")
    run push "123456789012.$registry/iwomp"
    check "also of $registry" present "^aws ecr batch-get-image --region $region "
  done
  run push registry.example/iwomp
  check "a repository that is not ECR's is an error" differ 0 "$status"
  check "and nothing is asked" same "" "$(cat "$CALLS")"
}

# A copy of what the image is made of, so that changing a source to see the tag change touches nobody's checkout.
copy_the_context() {
  local path
  "$repository/worker/build_context.py" "$work/tree"
  for path in worker/Dockerfile worker/image.sh worker/build_context.py; do
    cp "$repository/$path" "$work/tree/$path"
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
  build) test -z "${FAIL_BUILD:-}" ;;
  push) test -z "${FAIL_PUSH:-}" ;;
  save) test -z "${FAIL_SAVE:-}" && echo image >"$3" ;;
esac
FAKE
  cat >"$work/bin/syft" <<'FAKE'
#!/bin/sh
env >"${0%/bin/syft}/told"
test -f "${9#docker-archive:}" && echo "\"$6\"" >"${8#cyclonedx-json=}"
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
