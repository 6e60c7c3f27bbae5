#!/usr/bin/env bash
# Makes stand-ins for the base images of worker/Dockerfile out of what this machine has, for machines that reach a Debian
# mirror and npm but no image registry, and prints the build arguments that name them. They are for tests only: whatever
# certificates this machine trusts, they trust too.
#
#   worker/tests/stand_in_bases.sh [BASE ...]         debian, rust, node, terraform, opentofu; without a word all five
#   worker/tests/stand_in_bases.sh worker=PATH        for RUST_IMAGE: its cargo has built this worker already
#
#   worker/tests/image.sh $(worker/tests/stand_in_bases.sh)
#
# Needs root, the Debian packages buildah and mmdebstrap, cargo, npm and terraform. Each is made once for what it is made
# of; remove them with `buildah rmi --all` under the same storage.
set -euo pipefail
shopt -s inherit_errexit

# The versions of the Dockerfile's defaults, so that the stand-ins hold what the real bases do.
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node_version=$(sed -n 's/^ARG NODE_IMAGE=.*node:\([0-9.]*\)-.*/\1/p' "$repository/worker/Dockerfile")
suite=$(sed -n 's/^ARG DEBIAN_IMAGE=.*debian:\([a-z]*\)-.*/\1/p' "$repository/worker/Dockerfile")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  local base image
  if (($# == 0)); then set -- debian rust node terraform opentofu; fi
  for base in "$@"; do
    case $base in
      debian) image=$(make debian "$suite" from_mirror) ;;
      rust) image=$(make rust "$(hash_of Cargo.lock "$(rustc --version)")" from_cargo) ;;
      node) image=$(make node "$node_version" from_npm) ;;
      terraform) image=$(make terraform "$(terraform version | sed -n '1s/^Terraform v//p')" "from_path /bin/terraform") ;;
      opentofu) image=$(make opentofu "$(terraform version | sed -n '1s/^Terraform v//p')" "from_path /usr/local/bin/tofu") ;;
      worker=*) image=$(make worker "$(sha256sum "${base#*=}" | cut -c 1-16)" "from_build ${base#*=}") ;;
      *) echo "there is no stand-in for $base" >&2 && exit 1 ;;
    esac
    base=${base/worker=*/rust}
    echo "${base^^}_IMAGE=$image"
  done
}

# A short hash of a file of the repository and of a text.
hash_of() {
  (cat "$repository/$1" && echo "$2") | sha256sum | cut -c 1-16
}

name() {
  echo "localhost/iwomp-stand-in/$1:$2"
}

# make BASE TAG RECIPE: runs the recipe on a new container, keeps the result, unless that was done before, and prints its
# name.
make() {
  local container image
  image=$(name "$1" "$2")
  echo "$image"
  if buildah inspect --type image "$image" >/dev/null 2>&1; then return; fi
  echo "making the stand-in $image" >&2
  case $1 in
    rust | node) container=$(buildah from "$(make debian "$suite" from_mirror)") ;;
    worker) container=$(buildah from "$(debian)") ;;
    *) container=$(buildah from scratch) ;;
  esac
  # shellcheck disable=SC2086 # a recipe may have an argument
  $3 "$container" >&2
  buildah commit --rm --quiet "$container" "$image" >&2
}

from_mirror() {
  mmdebstrap --quiet --variant=minbase "$suite" "$work/debian.tar"
  buildah add --quiet "$1" "$work/debian.tar" /
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$1"
}

# The crates that cargo has fetched already come along, so that the build inside needs no network for them.
from_cargo() {
  buildah run "$1" -- sh -c 'apt-get update --quiet=2 && apt-get install --quiet=2 --yes gcc libc6-dev ca-certificates'
  trust_what_this_machine_trusts "$1"
  mkdir -p "$work/rust/cargo"
  cp -a "$(rustc --print sysroot)" "$work/rust/toolchain"
  rm -rf "$work/rust/toolchain/share"
  cp -a "${CARGO_HOME:-$HOME/.cargo}/registry" "$work/rust/cargo/"
  buildah add --quiet "$1" "$work/rust" /usr/local
  buildah config --env PATH=/usr/local/toolchain/bin:/usr/sbin:/usr/bin --env CARGO_HOME=/usr/local/cargo "$1"
}

from_npm() {
  local modules=/usr/local/lib/node_modules processor
  processor=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
  (cd "$work" && npm pack --silent "node-linux-$processor@$node_version" npm@11 >&2)
  mkdir -p "$work/node" "$work/npm"
  tar -xf "$work/node-linux-$processor-$node_version.tgz" -C "$work/node" --strip-components=1
  tar -xf "$work"/npm-11*.tgz -C "$work/npm" --strip-components=1
  buildah copy --quiet "$1" "$work/node/bin/node" /usr/local/bin/node
  buildah copy --quiet "$1" "$work/npm" "$modules/npm"
  buildah run "$1" -- ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
  trust_what_this_machine_trusts "$1"
  buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$1"
}

# Terraform of this machine, which stands in for OpenTofu, too, where it takes the place of its program.
from_path() {
  buildah copy --quiet "$2" "$(command -v terraform)" "$1"
}

# Instead of a compiler there is what it made, so that tests need not compile the AWS SDK a second time.
from_build() {
  printf '%s\n' '#!/bin/sh' 'set -eu' 'test "$*" = "build --release --locked --package worker"' 'test -f worker/src/main.rs' \
    "test -x \"\$RUSTC_WRAPPER\"" 'mkdir -p target/release' \
    'cp /usr/local/lib/iwomp-worker target/release/iwomp-worker' >"$work/cargo"
  chmod 0755 "$work/cargo"
  buildah copy --quiet "$2" "$1" /usr/local/lib/iwomp-worker
  buildah copy --quiet "$2" "$work/cargo" /usr/local/bin/cargo
}

# The Dockerfile's own base where it has been pulled, else its stand-in.
debian() {
  local base
  base=$(sed -n 's/^ARG DEBIAN_IMAGE=//p' "$repository/worker/Dockerfile")
  if buildah inspect --type image "$base" >/dev/null 2>&1; then echo "$base"; else make debian "$suite" from_mirror; fi
}

# A machine behind a proxy that ends TLS has that proxy's certificate in its bundle.
trust_what_this_machine_trusts() {
  buildah copy --quiet "$1" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
}

main "$@"
