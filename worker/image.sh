#!/usr/bin/env bash
# The deployer image: its tag, its build, its way into the account's ECR repository.
#
#   worker/image.sh tag                  [NAME=VALUE ...]   print the tag
#   worker/image.sh build                [NAME=VALUE ...]   build iwomp:TAG on this machine
#   worker/image.sh push REPOSITORY_URL  [NAME=VALUE ...]   build and push, unless the repository has that tag; print the digest
#   worker/image.sh tool                                    print the container tool that these use
#
# NAME=VALUE are build arguments of worker/Dockerfile. From the environment: IMAGE_TARGET (minimal, terraform, opentofu, cdk
# or all, the default: one of the Dockerfile's last stages), ARCHITECTURE (x86_64, the default, or arm64, as Terraform's
# variable), CONTAINER_TOOL (docker, podman or buildah; default: the first that works), SBOM (the syft that lists what is in
# an image that was built, in target/image-TARGET.cdx.json; default: the one that `make image` installs, if it has; empty:
# no list) and, for push, AWS credentials. The region is that of the repository. Needs cargo and Python 3.11: they say what
# goes into the image.
set -euo pipefail

main() {
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  case ${ARCHITECTURE:-x86_64} in
    x86_64) platform=linux/amd64 ;;
    arm64) platform=linux/arm64 ;;
    *) fail "ARCHITECTURE is x86_64 or arm64, not $ARCHITECTURE" ;;
  esac
  target=${IMAGE_TARGET:-all}
  case $target in
    minimal | terraform | opentofu | cdk | all) ;;
    *) fail "IMAGE_TARGET is minimal, terraform, opentofu, cdk or all, not $target" ;;
  esac
  syft=${SBOM-$(find .tools/sbom/bin/syft 2>/dev/null || true)}
  bill=target/image-$target.cdx.json
  sha256=(sha256sum)
  command -v sha256sum >/dev/null || sha256=(shasum -a 256) # macOS
  work=$(mktemp -d)
  trap clean_up EXIT

  case ${1:-} in
    tag) assemble && tag "${@:2}" ;;
    build) assemble && build "${@:2}" ;;
    push)
      [[ ${2:-} == */* ]] || fail "push needs the repository's URL: terraform output -raw repository_url"
      assemble && push "${@:2}"
      ;;
    tool) container_tool ;;
    *) fail "usage: worker/image.sh tag | build | push REPOSITORY_URL | tool  [NAME=VALUE ...]" ;;
  esac
}

# The tag is the hash of all that decides what is in the image: the build context, the Dockerfile, the platform, the target
# and the build arguments. The same tag is thus the same content, and an immutable repository never has to take one twice.
tag() {
  {
    printf '%s\n' "$platform" "$target" "$@"
    "${sha256[@]}" <worker/Dockerfile
    (cd "$work/context" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 "${sha256[@]}")
  } | "${sha256[@]}" | cut -c 1-16
}

build() {
  local tool image argument arguments=()
  tool=$(container_tool)
  image=iwomp:$(tag "$@")
  for argument in "$@"; do
    arguments+=(--build-arg "$argument")
  done
  # The list of an older image would pass for that of this one, whatever happens from here on.
  rm -f "$bill"
  echo "building $image ($target) with $tool for $platform" >&2
  # No provenance attestation: it would turn the image into an index with a second, unscannable entry.
  BUILDX_NO_DEFAULT_ATTESTATIONS=1 "$tool" build --platform "$platform" --target "$target" --file worker/Dockerfile \
    --tag "$image" ${arguments[@]+"${arguments[@]}"} "$work/context" >&2 || fail "$tool could not build $image; its own words are above"
  if [[ -n $syft ]]; then list_what_is_in "$image" "$tool"; fi
  echo "$image"
}

# Of the file alone, and with nothing of the environment, in which the credentials for a push may be, nor of the home, where
# others are: syft reads what strangers have packed.
list_what_is_in() {
  local image=$1 tool=$2 archive=$work/image.tar
  case $tool in
    buildah) buildah push --quiet "$image" "docker-archive:$archive" >&2 ;;
    *) "$tool" save --output "$archive" "$image" >&2 ;;
  esac || fail "$tool could not write $image to a file for the list of what is in it; SBOM= builds without one"
  env -i PATH="$PATH" HOME="$work" TMPDIR="$work" SYFT_CHECK_FOR_APP_UPDATE=false \
    "$syft" scan --quiet --source-name "${image%:*}" --source-version "${image#*:}" \
    --output "cyclonedx-json=$work/bill" "docker-archive:$archive" >&2 ||
    fail "$syft could not list what is in $image; SBOM= builds without a list"
  rm "$archive"
  mkdir -p "${bill%/*}"
  mv "$work/bill" "$bill"
  echo "what is in it: $bill" >&2
}

# Puts what the image is made of into $work/context.
assemble() {
  worker/build_context.py "$work/context"
}

# Prints the digest: what is deployed by it stays what it is, even if its tag should expire and be pushed anew.
push() {
  local url=$1 tag
  shift
  tag=$(tag "$@")
  region=$(region_of "$url")
  push_unless_there "$url" "$tag" "$@"
  ecr batch-get-image --repository-name "${url#*/}" --image-ids "imageTag=$tag" \
    --query 'images[0].imageId.imageDigest' --output text
}

push_unless_there() {
  local url=$1 tag=$2 tool image present
  shift 2
  # Asks for a count instead of parsing an error, so that a refused or failed call ends the script.
  present=$(ecr batch-get-image --repository-name "${url#*/}" --image-ids "imageTag=$tag" \
    --query 'length(images)' --output text)
  if [[ $present != 0 ]]; then
    echo "$url:$tag is there already" >&2
    # Of it, or of another that was built since?
    grep --quiet --fixed-strings "\"$tag\"" "$bill" 2>/dev/null || rm -f "$bill"
    return
  fi
  tool=$(container_tool)
  image=$(build "$@")
  # The login lasts twelve hours and podman and docker write it to disk: clean_up gives it back, whatever happens.
  logged_in=("$tool" "${url%%/*}")
  ecr get-login-password | "$tool" login --username AWS --password-stdin "${url%%/*}" >&2
  "$tool" tag "$image" "$url:$tag"
  "$tool" push "$url:$tag" >&2
  echo "pushed $url:$tag" >&2
}

# In the repository's own region, whatever the environment's is. Not every AWS CLI knows AWS_REGION: version 1 does not.
ecr() {
  aws ecr "$1" --region "$region" "${@:2}"
}

# ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME, and the forms of other partitions, of FIPS and of dual-stack endpoints.
region_of() {
  local region
  region=$(sed -nE 's#^[0-9]{12}\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\..*#\2#p' <<<"$1")
  [[ -n $region ]] || fail "no region is in $1: it must be the URL of an ECR repository: terraform output -raw repository_url"
  echo "$region"
}

clean_up() {
  if [[ -n ${logged_in[*]-} ]]; then "${logged_in[0]}" logout "${logged_in[1]}" >/dev/null || true; fi
  rm -rf "$work"
}

# A client whose engine does not answer is passed over: a docker command without its daemon is a common sight.
container_tool() {
  local tool
  for tool in ${CONTAINER_TOOL:-docker podman buildah}; do
    case $tool in
      docker) docker version >/dev/null 2>&1 || continue ;;
      podman | buildah) "$tool" info >/dev/null 2>&1 || continue ;;
      *) fail "CONTAINER_TOOL is docker, podman or buildah, not $tool" ;;
    esac
    echo "$tool"
    return
  done
  fail "no working container tool: install docker (and start it), podman or buildah"
}

fail() {
  echo "worker/image.sh: $*" >&2
  exit 1
}

main "$@"
