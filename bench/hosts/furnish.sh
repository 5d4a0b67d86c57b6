#!/bin/sh
# Makes the layer of the lab's hosts that holds what the tools of the bench build with on the host: git, Go, Python's
# venv, zstd, this machine's Node and npm, and full caches, because the hosts have no way out. Run in a mount namespace
# of its own, so that nothing stays mounted however it ends.
#   furnish.sh <base tree> <folder> <program of Node> <folder of npm> <folder of the caches>
set -eu
base=$1 folder=$2 node=$3 npm=$4 caches=$5
mkdir -p "$folder/upper" "$folder/work" "$folder/root"
mount --make-rprivate /
mount -t overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
root=$folder/root

# The tree has an empty one for good. A package must not start anything.
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get -q update
# Ansible's module for pip wants setuptools.
chroot "$root" apt-get -q install -y --no-install-recommends git golang-go python3-venv python3-setuptools zstd
chroot "$root" apt-get clean
rm -rf "$root/var/lib/apt/lists" "$root/usr/sbin/policy-rc.d"
umount "$root/proc" "$root/etc/resolv.conf"

install -m 755 "$node" "$root/usr/local/bin/node"
mkdir -p "$root/usr/local/lib/node_modules" "$root/usr/local/etc"
cp -r "$npm" "$root/usr/local/lib/node_modules/npm"
for program in npm npx; do
  ln -sf "../lib/node_modules/npm/bin/$program-cli.js" "$root/usr/local/bin/$program"
done

cp -r "$caches" "$root/var/cache/bench"
chmod -R a+rwX "$root/var/cache/bench"
cat >"$root/usr/local/etc/npmrc" <<'END'
cache=/var/cache/bench/npm
offline=true
audit=false
fund=false
update-notifier=false
END
printf '[global]\nno-index = true\nfind-links = /var/cache/bench/wheels\n' >"$root/etc/pip.conf"
# Without a compiler of C, Go 1.19 has to be told so.
for home in root home/admin; do
  mkdir -p "$root/$home/.config/go"
  printf 'GOMODCACHE=/var/cache/bench/go\nGOPROXY=off\nGOFLAGS=-mod=mod\nCGO_ENABLED=0\n' >"$root/$home/.config/go/env"
done
chroot "$root" chown -R admin: /home/admin
umount "$root"
rm -rf "$folder/root" "$folder/work"
