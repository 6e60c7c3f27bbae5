#!/bin/sh
# Runs a program on the file system of an image, as its container's first process: enter.sh IMAGE PLACE PROGRAM...
#
# IMAGE is the image's root, which stays as it is; what the build writes goes to PLACE/upper. PLACE/mounts has a line
# for each folder of this machine that the image is to see, read-only: its path here, a tab, its path there.
# To be started by `unshare --mount --pid --fork`, as root: the mounts then end with the container. Its network is the
# machine's, on whose loopback the local AWS is.
set -eu
image=$1 place=$2
shift 2
root=$place/root

mount -t overlay -o "lowerdir=$image,upperdir=$place/upper,workdir=$place/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in full null random tty urandom zero; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
# Docker writes these two into every container.
for file in hosts resolv.conf; do
  rm -f "$root/etc/$file"
  cat "/etc/$file" >"$root/etc/$file"
done
while IFS="$(printf '\t')" read -r here there; do
  mkdir -p "$root$there"
  mount --bind -o ro "$here" "$root$there"
done <"$place/mounts"

cd "$root"
# The rights that Docker leaves to a container's root, and with it CodeBuild to a project that is not privileged.
exec setpriv --inh-caps=-all --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap \
  chroot . "$@"
