#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mkimage.sh - make a container image out of directories, the same bytes every time.
#
#   mkimage.sh ROOTFS [--layer DIR]... FORM [OPTION]... OUT
#
# ROOTFS and each DIR are one layer (a directory, or a tar file that is taken as it is), the
# lowest first.  Deletions are files as in OCI layers: .wh.NAME, .wh..wh..opq.
#
# FORM     --oci            OCI archive (tar)            --oci-dir  OCI layout directory
#          --docker         docker save of today (OCI layout and manifest.json in one tar)
#          --docker-legacy  docker save as it was (one directory a layer)
#          --tar            a plain root file system (one layer)
# OPTIONS  --compress none|gzip|zstd|xz|bzip2   --oci, --oci-dir: each layer (none, gzip, zstd);
#                                               the others: the whole file
#          --env K=V   --entrypoint WORD   --cmd WORD   --label K=V   --volume PATH   (repeatable)
#          --workdir DIR   --user USER   --stop-signal SIG   --tag NAME[:TAG]   --arch GOARCH
#          --keep-owner    owners as they are on disk (otherwise 0:0)
#
# SOURCE_DATE_EPOCH is the time of everything (default: 1980, the first year that zip knows).
set -eu
export LC_ALL=C TZ=UTC0
umask 022

die() {
	echo "mkimage.sh: $*" >&2
	exit 2
}

# A JSON string.  Control characters are refused: no image of ours needs them.
json_str() {
	case $1 in *[[:cntrl:]]*) die "control character in '$1'" ;; esac
	printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"
}

# Append a JSON string to the comma list held by the variable named $1.
json_add() {
	eval "list=\$$1"
	list=${list:+$list,}$(json_str "$2")
	eval "$1=\$list"
}

# Append "K": "V" (or "K": $3) of K=V to the comma list held by the variable named $1.
json_pair() {
	eval "list=\$$1"
	list=${list:+$list,}$(json_str "${2%%=*}"):${3:-$(json_str "${2#*=}")}
	eval "$1=\$list"
}

sha() {
	sha256sum "$1" | cut -d' ' -f1
}

size() {
	stat -c %s "$1"
}

# pack DIR OUT - the entries of DIR as a tar that depends on nothing else
pack() {
	(cd "$1" && find . -mindepth 1 -maxdepth 1 -printf '%P\0' | sort -z) |
		tar -C "$1" --null --verbatim-files-from -T - --sort=name --format=posix \
			--pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' \
			--numeric-owner $owner --mtime="@$epoch" -cf "$2"
}

compressor() {
	case $1 in
	none) cat ;;
	gzip) gzip -n -6 ;;
	zstd) zstd -q -3 -T1 -c ;;
	xz) xz -1 -T1 -c ;;
	bzip2) bzip2 -c ;;
	*) die "no such compression: $1" ;;
	esac
}

# blob FILE - move it to its place in the layout; prints its digest
blob() {
	hex=$(sha "$1")
	mkdir -p "$out/blobs/sha256"
	mv "$1" "$out/blobs/sha256/$hex"
	echo "$hex"
}

write_config() {
	printf '{"created":"%s","architecture":"%s","os":"linux","config":{' "$created" "$arch"
	printf '"Env":[%s]' "$env"
	[ -z "$entrypoint" ] || printf ',"Entrypoint":[%s]' "$entrypoint"
	[ -z "$cmd" ] || printf ',"Cmd":[%s]' "$cmd"
	[ -z "$workdir" ] || printf ',"WorkingDir":%s' "$(json_str "$workdir")"
	[ -z "$user" ] || printf ',"User":%s' "$(json_str "$user")"
	[ -z "$stop" ] || printf ',"StopSignal":%s' "$(json_str "$stop")"
	[ -z "$labels" ] || printf ',"Labels":{%s}' "$labels"
	[ -z "$volumes" ] || printf ',"Volumes":{%s}' "$volumes"
	printf '},"rootfs":{"type":"layers","diff_ids":['
	sep=
	for hex in $diff_ids; do
		printf '%s"sha256:%s"' "$sep" "$hex"
		sep=,
	done
	printf ']}}'
}

# write_layout COMPRESSION - the OCI layout in $out; sets $config_hex and $layer_hexes
write_layout() {
	case $1 in
	none) suffix= ;;
	gzip | zstd) suffix=+$1 ;;
	*) die "OCI layers are not compressed with $1" ;;
	esac
	layer_hexes= descs=
	for t in $tars; do
		compressor "$1" < "$t" > "$tmp/blob"
		n=$(size "$tmp/blob")
		hex=$(blob "$tmp/blob")
		layer_hexes="$layer_hexes $hex"
		descs=${descs:+$descs,}'{"mediaType":"application/vnd.oci.image.layer.v1.tar'$suffix'",'
		descs=$descs'"digest":"sha256:'$hex'","size":'$n'}'
	done
	n=$(size "$tmp/config")
	config_hex=$(blob "$tmp/config")
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",%s[%s]}' \
		'"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:'"$config_hex"'","size":'"$n"'},"layers":' \
		"$descs" > "$tmp/manifest"
	n=$(size "$tmp/manifest")
	hex=$(blob "$tmp/manifest")
	notes=
	[ -z "$tag" ] || notes=',"annotations":{"org.opencontainers.image.ref.name":'$(json_str "$tag")'}'
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' \
		'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:'"$hex"'","size":'"$n"',"platform":{"architecture":"'"$arch"'","os":"linux"}'"$notes"'}' \
		> "$out/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' > "$out/oci-layout"
}

# write_manifest CONFIG LAYER... - the manifest.json of docker save
write_manifest() {
	tags=
	[ -z "$tag" ] || tags=$(json_str "$tag")
	printf '[{"Config":"%s","RepoTags":[%s],"Layers":[' "$1" "$tags" > "$out/manifest.json"
	shift
	sep=
	for l in "$@"; do
		printf '%s"%s"' "$sep" "$l" >> "$out/manifest.json"
		sep=,
	done
	printf ']}]\n' >> "$out/manifest.json"
}

write_docker() {
	write_layout none
	set -- "blobs/sha256/$config_hex"
	for hex in $layer_hexes; do
		set -- "$@" "blobs/sha256/$hex"
	done
	write_manifest "$@"
}

# One directory a layer, named by a chain of hashes as docker's ids once were.
write_legacy() {
	config_hex=$(sha "$tmp/config")
	set -- "$config_hex.json"
	cp "$tmp/config" "$out/$config_hex.json"
	parent=
	for t in $tars; do
		id=$(printf '%s %s' "$parent" "$(sha "$t")" | sha256sum | cut -d' ' -f1)
		mkdir "$out/$id"
		cp "$t" "$out/$id/layer.tar"
		printf '1.0' > "$out/$id/VERSION"
		printf '{"id":"%s"%s}' "$id" "${parent:+,\"parent\":\"$parent\"}" > "$out/$id/json"
		parent=$id
		set -- "$@" "$id/layer.tar"
	done
	write_manifest "$@"
	[ -z "$tag" ] || printf '{%s:{"latest":"%s"}}\n' "$(json_str "${tag%:*}")" "$parent" > "$out/repositories"
}

env= entrypoint= cmd= labels= volumes= workdir= user= stop= tag= form= compress= dest=
owner='--owner=0 --group=0'
epoch=${SOURCE_DATE_EPOCH:-315532800}
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) arch=$(uname -m) ;;
esac
[ $# -ge 3 ] || { sed -n '3,23s/^# \{0,1\}//p' "$0" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
out=$tmp/out
mkdir "$out"
first=$1
shift
set -- --layer "$first" "$@"
n_layers=0
while [ $# -gt 0 ]; do
	case $1 in
	--oci | --oci-dir | --docker | --docker-legacy | --tar) form=${1#--} && shift && continue ;;
	--keep-owner) owner= && shift && continue ;;
	--?*) [ $# -ge 2 ] || die "$1 wants a value" ;;
	*) [ $# -eq 1 ] || die "unexpected word: $1" && dest=$1 && break ;;
	esac
	case $1 in
	--layer) n_layers=$((n_layers + 1)) && eval "layer_$n_layers=\$2" ;;
	--compress) compress=$2 ;;
	--env) json_add env "$2" ;;
	--entrypoint) json_add entrypoint "$2" ;;
	--cmd) json_add cmd "$2" ;;
	--label) json_pair labels "$2" ;;
	--volume) json_pair volumes "$2" '{}' ;;
	--workdir) workdir=$2 ;;
	--user) user=$2 ;;
	--stop-signal) stop=$2 ;;
	--tag) tag=$2 ;;
	--arch) arch=$2 ;;
	*) die "unknown option: $1" ;;
	esac
	shift 2
done
[ -n "$form" ] || die "which form? --oci, --oci-dir, --docker, --docker-legacy or --tar"
[ -n "$dest" ] || die "where to?"

tars= diff_ids=
i=1
while [ $i -le $n_layers ]; do
	eval "layer=\$layer_$i"
	if [ -d "$layer" ]; then
		pack "$layer" "$tmp/$i.tar"
	elif [ -f "$layer" ]; then
		ln -s "$(readlink -f "$layer")" "$tmp/$i.tar"
	else
		die "$layer: no such directory or tar"
	fi
	tars="$tars $tmp/$i.tar"
	diff_ids="$diff_ids $(sha "$tmp/$i.tar")"
	i=$((i + 1))
done
write_config > "$tmp/config"

case $form in
oci) write_layout "${compress:-gzip}" && pack "$out" "$tmp/all.tar" && compress=none ;;
oci-dir) write_layout "${compress:-gzip}" && rm -rf "$dest" && cp -R "$out" "$dest" && exit 0 ;;
docker) write_docker && pack "$out" "$tmp/all.tar" ;;
docker-legacy) write_legacy && pack "$out" "$tmp/all.tar" ;;
tar) [ $n_layers = 1 ] || die "--tar takes one layer"
	ln -s 1.tar "$tmp/all.tar" ;;
esac
compressor "${compress:-none}" < "$tmp/all.tar" > "$dest.$$" && mv "$dest.$$" "$dest"
