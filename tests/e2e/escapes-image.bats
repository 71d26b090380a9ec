#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Escapes by the bytes of an image, with the program as it is: the host's files are there, the store
# is an ordinary one.  The controls are GNU tar, Python's extractor, and a simple shell.
#
# CVE                                  mechanism                           test              control
# 2025-45582, 2016-6321 GNU tar,       a layer writes through links        written...        tar -x of both layers
#   2016-5418 libarchive
# 2007-4559 python, 2016-6321          "..", absolute names                names...          tar -xP
# 2026-26960, 2026-23745 node-tar      a hard link to a file of the host   a second name...  python
# 2021-31566 libarchive,               mode set at the end through a link  modes...          python
#   2021-32760 containerd
# 2025-47290 containerd                a parent remembered as safe         a directory...    python
# set-uid, nodes in the store          visible to the host                 set-uid files...  tar -xp
# 2022-23648 containerd, 2024-40635    Volumes, User, Labels act           volumes...        naive cp, sh
#   containerd, 2026-53488
# 2023-30549 apptainer                 the kernel parses the image         file systems...   mount -o loop
#
# Without a second test here, because no file of the host plays a part:
# 2021-29136 umoci (root replaced)     t_store_forms N5b     2025-62518 (two sizes)       t_store_archives S6
# overlay attributes, device 0:0       t_store_forms W20-21  2025-58183, 2022-2879        t_store_archives S7, S11
# 2024-3727 (digest as a path)         t_image_oci           2021-41190 (type confusion)  t_image_oci
# gzip integrity, bombs                t_image_gzip, t_image_layer
# races of the unpacked tree           t_image_open "confined", t_profile_unpack
load common
load escapes

test_setup_file() {
	evil_programs
}

test_setup() {
	need python3
	canary
}

# layers NAME - the image of that recipe, and its layers as files in $LAYERS; $ROOT for the control
layers() {
	evil "$1" --docker-legacy
	mkdir -p "$T/$1.layers" "$T/$1.root"
	tar -C "$T/$1.layers" -xf "$IMAGE"
	mapfile -t LAYERS < <(python3 -c 'import json, sys
for name in json.load(open(sys.argv[1] + "/manifest.json"))[0]["Layers"]: print(sys.argv[1] + "/" + name)' "$T/$1.layers")
	[ ${#LAYERS[@]} = 2 ]
	ROOT=$T/$1.root
}

# contained - it starts, or is refused; neither changes the host
contained() {
	local s=$T/store-$RANDOM
	try -q --store "$s" "$IMAGE" sh -c 'cat /secret /absolute/secret /relative/secret /a/secret /b /c /foo/secret 2> /dev/null; echo started'
	[ "$status" = 125 ] && one_message || is "$status" 0
	hasnt "$output" 'a secret'
	untouched
	try --store "$s" import "$IMAGE" evil
	try --store "$s" verify
	untouched
}

@test "CVE-2025-45582, CVE-2016-6321, CVE-2016-5418: written through links of a lower layer" {
	layers layer-links
	contained
	for l in "${LAYERS[@]}"; do tar -C "$ROOT" -xf "$l" || true; done
	touched
}

@test "CVE-2007-4559, CVE-2016-6321: names that lead out of the root" {
	for name in dots absolute inside; do
		NAME=$name layers layer-names
		contained
		[ $name = absolute ] || is "$status" 125
		tar -C "$ROOT" -xPf "${LAYERS[1]}" || true
		[ -e "$HOST/made" ]
		rm "$HOST/made"
		rm -r "$T"/layer-names.*
		touch -r "$HOST/dir" "$HOST"
		canary
	done
}

@test "CVE-2026-26960, CVE-2026-23745: a second name for a file of the host" {
	layers layer-hardlinks
	contained
	(cd "$ROOT" && python3 "$REPO/images/evil/entries.py" -x "${LAYERS[1]}") || true
	touched
	is "$(cat "$HOST/secret")" overwritten
}

@test "CVE-2021-31566, CVE-2021-32760: modes set through a link" {
	layers layer-modes
	contained
	(cd "$ROOT" && python3 "$REPO/images/evil/entries.py" -x "${LAYERS[1]}") || true
	touched
}

@test "CVE-2025-47290: a directory that was safe is a link when it is used" {
	layers layer-loop
	contained
	(cd "$ROOT" && python3 -c 'import sys, tarfile, os, shutil
# remembers its directories, and replaces what is in the way
for e in tarfile.open(sys.argv[1]):
    if os.path.isdir(e.name) and not os.path.islink(e.name) and not e.isdir(): shutil.rmtree(e.name)
    if e.isdir(): os.makedirs(e.name, exist_ok=True)
    elif e.issym(): os.symlink(e.linkname, e.name)
    else: open(e.name, "wb").write(b"x")' "${LAYERS[1]}")
	touched
}

@test "set-uid files and nodes of devices in the store" {
	layers layer-setuid
	works -q --store "$T/store" "$IMAGE" true
	is "$(find "$T/store" -perm /6000 -o -type c -o -type b)" ''
	works -q --store "$T/store" "$IMAGE" sh -c 'find /bin/setuid /dir -perm /6000; ls /zero 2> /dev/null; true'
	is "$output" ''
	tar -C "$ROOT" -xpf "${LAYERS[1]}" || true
	[ "$(find "$ROOT" -perm /6000 -o -type c)" != '' ]
}

@test "CVE-2022-23648, CVE-2024-40635, CVE-2026-53488: volumes, a user and labels of a configuration" {
	local label
	rootfs volumes-out
	for options in "" --root "--pid host"; do
		works -q $options "$IMAGE" sh -c 'id -u; find / -xdev -name secret; cat /volume/secret 2> /dev/null; true'
		[ "$options" = --root ] || is "$output" "$(id -u)"
		untouched
	done
	# copies what the volume holds; sh reads the label; 32 bits of the user
	naive 'cp -r "$ROOT/volume/." "$ROOT/copied"; cat "$ROOT/copied/secret"'
	found 'a secret of the host'
	label=$("$GPURUN" inspect --json "$IMAGE" | python3 -c 'import json, re, sys
print(re.search(r"touch [^\"\\]*/hook", sys.stdin.read()).group())')
	sh -c "$label"
	touched
	is $((4294967296 & 0xffffffff)) 0
}

@test "CVE-2023-30549: file systems that the kernel would have to parse" {
	need mke2fs
	mkdir "$T/fs"
	cp "$HOST/secret" "$T/fs"
	mke2fs -q -t ext4 -d "$T/fs" "$T/image.ext4" 4m
	fails 125 "$T/image.ext4" true
	is "$(mounts)" "$MOUNTS_BEFORE"
	[ "$(id -u)" = 0 ] || return 0
	ROOT=$T/fs
	naive "mount -o loop,ro '$T/image.ext4' '$T/fs' || exit 77; cat '$T/fs/secret'"
	[ "$status" != 77 ] || skip "no loop devices"
	found 'a secret of the host'
}
