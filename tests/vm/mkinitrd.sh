#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkinitrd.sh KERNEL OUT - an initramfs that loads the modules for a disk and overlayfs and goes
# on in /dev/vda.  KERNEL is what fetch-kernel.sh made.
set -eu
kernel=$1 out=$2
version=$(cat "$kernel/version")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
modules=$(find "$kernel/root" -type d -path "*/lib/modules/$version")
mkdir -p "$tmp/tree/lib/modules" "$tmp/init/bin" "$tmp/init/m" "$tmp/init/new" "$tmp/init/proc" "$tmp/init/dev"
ln -s "$(readlink -f "$modules")" "$tmp/tree/lib/modules/$version"
PATH=$PATH:/usr/sbin:/sbin
depmod -b "$tmp/tree" "$version"
cp "$(command -v busybox)" "$tmp/init/bin/busybox"

load=
for m in virtio_pci virtio_blk ext4 overlay; do
	for f in $(modprobe -d "$tmp/tree" -S "$version" --show-depends "$m" | awk '$1 == "insmod" { print $2 }'); do
		name=$(basename "$f" .xz)
		[ ! -e "$tmp/init/m/$name" ] || continue
		case $f in
		*.xz) xz -dc "$f" > "$tmp/init/m/$name" ;;
		*) cp "$f" "$tmp/init/m/$name" ;;
		esac
		load="$load $name"
	done
done
cat > "$tmp/init/init" << END
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t devtmpfs dev /dev
for m in $load; do \$b insmod /m/\$m; done
i=0
while [ ! -b /dev/vda ] && [ \$i -lt 200 ]; do \$b sleep 0.05; i=\$((i + 1)); done
\$b mount -t ext4 /dev/vda /new
\$b mount --move /dev /new/dev
exec \$b switch_root /new /init
END
chmod 755 "$tmp/init/init"
(cd "$tmp/init" && find . | sort | cpio -o -H newc --quiet) | gzip -1 > "$out"
