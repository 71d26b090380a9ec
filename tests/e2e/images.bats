#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every form of an image, every compression, what layers do to each other, and bad images.
load common

# The image in $1 must be the one that `small` laid out.
starts() {
	works --store "$T/store" "$@" cat /marker
	is "$output" "this is it"
	chmod -R u+w "$T/store" && rm -rf "$T/store"
}

marked_root() {
	small "$T/root"
	echo "this is it" > "$T/root/marker"
}

@test "a plain root file system tar in every compression" {
	marked_root
	for c in none gzip zstd xz bzip2; do
		mkimage "$T/root" --tar --compress $c "$T/image"
		starts "$T/image"
	done
}

@test "docker save, old and new, in every compression" {
	marked_root
	for c in none gzip zstd xz bzip2; do
		for form in --docker --docker-legacy; do
			mkimage "$T/root" $form --compress $c "$T/image"
			starts "$T/image"
			starts "docker-archive:$T/image"
		done
	done
}

@test "OCI archive and OCI layout, layers in every compression that OCI has" {
	marked_root
	for c in none gzip zstd; do
		mkimage "$T/root" --oci --compress $c "$T/image"
		starts "$T/image"
		starts "oci-archive:$T/image"
		mkimage "$T/root" --oci-dir --compress $c "$T/layout"
		starts "$T/layout"
		starts "oci:$T/layout"
	done
}

@test "an OCI archive that is compressed as a whole" {
	marked_root
	mkimage "$T/root" --oci --compress none "$T/image"
	zstd -q "$T/image"
	starts "$T/image.zst"
	gzip -k "$T/image"
	starts "$T/image.gz"
}

@test "gzip members one after the other, and NULs behind them" {
	marked_root
	mkimage "$T/root" --tar "$T/image"
	head -c 100000 "$T/image" | gzip > "$T/two.gz"
	tail -c +100001 "$T/image" | gzip >> "$T/two.gz"
	starts "$T/two.gz"
	head -c 512 /dev/zero >> "$T/two.gz"
	starts "$T/two.gz"
}

@test "a root file system directory" {
	marked_root
	starts "$T/root"
	starts "dir:$T/root"
}

@test "the directory itself is not written to" {
	marked_root
	find "$T/root" -printf '%P %m %s %T@\n' | sort > "$T/before"
	works --store "$T/store" "$T/root" sh -c 'echo x > /marker && echo y > /new && cat /marker'
	is "$output" x
	find "$T/root" -printf '%P %m %s %T@\n' | sort | diff - "$T/before"
}

@test "an image without a shell runs its entry point" {
	works "$IMAGES/hello.tar"
	has "$output" '^NoNewPrivs:.1$'
}

# ---- layers -----------------------------------------------------------------------------------

list_is() {
	local want=$1
	shift
	try -v "$REPO/images/layers/list.sh:/list.sh:ro" "$@" sh /list.sh /t
	is "$status" 0
	diff <(echo "$output") "$REPO/images/layers/$want"
}

@test "layers: whiteouts, opaque directories, replaced types" {
	for form in --oci --docker --docker-legacy; do
		sh "$REPO/images/layers/build.sh" "$T/image" $form
		list_is expected --store "$T/store$form" "$T/image"
	done
}

@test "layers: the flattened tree is the same" {
	FLAT=1 sh "$REPO/images/layers/build.sh" "$T/image"
	list_is expected-flat "$T/image"
}

@test "layers: hardlinks stay links" {
	FLAT=1 sh "$REPO/images/layers/build.sh" "$T/image"
	works "$T/image" stat -c %i /t/hard/a /t/hard/b /t/hard/c /t/hard3/x /t/hard3/y
	is "$(uniq <<< "$output" | wc -l)" 2
}

@test "layers: 100 of them" {
	small "$T/1"
	echo 1 > "$T/1/n"
	layers=()
	for i in {2..100}; do
		mkdir "$T/$i"
		echo $i | tee "$T/$i/n" > "$T/$i/n$i"
		layers+=(--layer "$T/$i")
	done
	mkimage "$T/1" "${layers[@]}" --oci --compress none "$T/image"
	works "$T/image" sh -c 'cat /n; ls / | grep -c ^n'
	is "$output" $'100\n100'
}

@test "layers are shared between images" {
	small "$T/1"
	mkdir "$T/2" "$T/3"
	echo 2 > "$T/2/n"
	echo 3 > "$T/3/n"
	mkimage "$T/1" --layer "$T/2" --docker "$T/a"
	mkimage "$T/1" --layer "$T/3" --docker "$T/b"
	works --store "$T/store" "$T/a" cat /n
	is "$output" 2
	works --store "$T/store" "$T/b" cat /n
	is "$output" 3
	[ ! -d "$T/store/v1/layers" ] || is "$(ls "$T/store/v1/layers" | wc -l)" 3
}

# ---- which image of several --------------------------------------------------------------------

manifests() {
	sed 's/.*"manifests":\[\(.*\)\]}$/\1/' "$1/index.json"
}

# join OUT LAYOUT... - one layout with the manifests of all
join() {
	local out=$1 all= l
	shift
	cp -R "$1" "$out"
	for l; do
		cp -R "$l/blobs" "$out/"
		all=${all:+$all,}$(manifests "$l")
	done
	printf '{"schemaVersion":2,"manifests":[%s]}' "$all" > "$out/index.json"
}

# two_tags: $T/both holds the tags one and two
two_tags() {
	local n
	small "$T/root"
	for n in one two; do
		echo $n > "$T/root/n"
		mkimage "$T/root" --oci-dir --tag $n "$T/$n"
	done
	join "$T/both" "$T/one" "$T/two"
}

@test "a tag chooses; without one the names are listed" {
	two_tags
	works "oci:$T/both:one" cat /n
	is "$output" one
	works "oci:$T/both:two" cat /n
	is "$output" two
	fails 125 "oci:$T/both" cat /n
	grep -q one <<< "$stderr" && grep -q two <<< "$stderr"
	fails 125 "oci:$T/both:three" cat /n
	grep -q one <<< "$stderr" && grep -q two <<< "$stderr"
	(cd "$T/both" && tar -cf "$T/both.tar" .)
	works "oci-archive:$T/both.tar:two" cat /n
	is "$output" two
}

@test "docker-archive:FILE:TAG" {
	small "$T/root"
	mkimage "$T/root" --docker --tag some/name:v1 "$T/image"
	works "docker-archive:$T/image:some/name:v1" true
	fails 125 "docker-archive:$T/image:some/name:v2" true
	says 'some/name:v2'
}

@test "the platform chooses, also through a nested index" {
	case $(uname -m) in x86_64) other=arm64 ;; *) other=amd64 ;; esac
	small "$T/root"
	echo wrong > "$T/root/n"
	mkimage "$T/root" --oci-dir --arch $other "$T/other"
	echo right > "$T/root/n"
	mkimage "$T/root" --oci-dir "$T/mine"
	join "$T/both" "$T/other" "$T/mine"
	works "$T/both" cat /n
	is "$output" right
	hex=$(sha256sum < "$T/both/index.json" | cut -d' ' -f1)
	n=$(stat -c %s "$T/both/index.json")
	mv "$T/both/index.json" "$T/both/blobs/sha256/$hex"
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s}]}' \
		application/vnd.oci.image.index.v1+json "$hex" "$n" > "$T/both/index.json"
	works --store "$T/store" "$T/both" cat /n
	is "$output" right
}

@test "an image for another machine is refused by name" {
	case $(uname -m) in x86_64) other=arm64 ;; *) other=amd64 ;; esac
	small "$T/root"
	mkimage "$T/root" --oci-dir --arch $other "$T/other"
	fails 125 "$T/other" true
	says "$other"
}

# ---- configuration -----------------------------------------------------------------------------

@test "Env, WorkingDir, User" {
	mkimage "$IMAGES/busybox" --docker --env PATH=/bin --env 'GREETING=hello "you" \ there' \
		--workdir /made/for/you --user nobody "$T/image"
	try "$T/image" sh -c 'echo "$GREETING"; pwd; id -u'
	is "$status" 0
	is "$output" 'hello "you" \ there
/made/for/you
'"$(id -u)"
	has "$stderr" nobody
	works -q "$T/image" true
}

@test "WorkingDir through a symbolic link stays inside" {
	small "$T/root"
	ln -s /somewhere/else "$T/root/link"
	mkimage "$T/root" --docker --env PATH=/bin --workdir /link/below "$T/image"
	try "$T/image" sh -c 'cd -P . && pwd'
	[ "$status" = 0 ] || one_message
	[ ! -e /somewhere ]
}

@test "labels and volumes are shown, not acted on" {
	mkimage "$IMAGES/busybox" --docker --label org.example.key=value --volume /data "$T/image"
	works "$T/image" sh -c 'ls -d /data 2>/dev/null || echo none'
	is "$output" none
	works inspect --json "$T/image"
	has "$output" org.example.key
}

@test "inspect shows the C library and what comes from the driver" {
	works inspect "$BUSYBOX"
	grep -qx 'C library    none' <<< "$output"
	small "$T/root"
	mkdir -p "$T/root/lib" "$T/root/usr/local/cuda-12.8/compat" "$T/root/usr/lib64"
	touch "$T/root/lib/ld-musl-x86_64.so.1" "$T/root/lib/ld-musl-aarch64.so.1" \
		"$T/root/usr/local/cuda-12.8/compat/libcuda.so.570.124.06" \
		"$T/root/usr/lib64/libcuda.so.1"
	ln -s cuda-12.8 "$T/root/usr/local/cuda"
	mkimage "$T/root" --docker "$T/image"
	works inspect "$T/image"
	grep -qx 'C library    musl' <<< "$output"
	grep -qx 'CUDA compat  570.124.06' <<< "$output"
	grep -qx 'driver       /usr/lib64/libcuda.so.1' <<< "$output"
	works inspect --json "$T/image"
	need python3
	is "$(python3 -c 'import json,sys; a = json.load(sys.stdin)["abi"]
print(a["libc"], *a["cuda_compat"], *a["drivers"])' <<< "$output")" \
		'musl 570.124.06 /usr/lib64/libcuda.so.1'
	works inspect "dir:$T/root"
	grep -qx 'C library    musl' <<< "$output"
}

@test "inspect shows the version of glibc" {
	local version
	version=$(getconf GNU_LIBC_VERSION 2> /dev/null) || skip "no glibc here"
	works inspect "$IMAGES/bash.tar"
	grep -qx "C library    $version" <<< "$output"
}

@test "the C library of a known image is not looked for again" {
	need strace
	works "$IMAGES/bash.tar" cat /dev/null
	strace -E ASAN_OPTIONS=detect_leaks=0 -f -o "$T/trace" -e trace=open,openat,openat2 \
		"$GPURUN" "$IMAGES/bash.tar" cat /dev/null
	grep -q '"images/' "$T/trace"
	# programs open theirs by absolute names, the store below its directories
	if grep -E '"[^/"][^"]*(ld\.so\.cache|libc\.so|ld-linux|ld-musl|cuda)' "$T/trace"; then
		false
	fi
}

@test "an image that changes under its name is unpacked again" {
	small "$T/root"
	echo old > "$T/root/n"
	mkimage "$T/root" --docker "$T/image"
	works "$T/image" cat /n
	is "$output" old
	echo new > "$T/root/n"
	mkimage "$T/root" --docker "$T/image"
	works "$T/image" cat /n
	is "$output" new
}

# ---- bad images --------------------------------------------------------------------------------

store_is_empty() {
	local d
	for d in layers trees images names files tmp; do
		[ -z "$(ls -A "$T/store/v1/$d" 2> /dev/null)" ] || {
			echo "left in $d:" && ls -AR "$T/store/v1/$d"
			return 1
		}
	done
}

refused() {
	rm -rf "$T/store"
	fails 125 --store "$T/store" "$@"
	store_is_empty
}

# flip FILE OFFSET - change one byte
flip() {
	local b
	b=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "\\$(printf %o $((b ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "one changed byte in any blob is noticed" {
	marked_root
	for c in none gzip zstd; do
		mkimage "$T/root" --oci-dir --compress $c "$T/layout"
		for blob in "$T"/layout/blobs/sha256/*; do
			n=$(stat -c %s "$blob")
			for at in 0 $((n / 2)) $((n - 1)); do
				flip "$blob" $at
				refused "$T/layout" cat /marker
				flip "$blob" $at
			done
		done
		starts "$T/layout"
	done
}

@test "a layer that is not the one the configuration names (diff_id)" {
	marked_root
	mkimage "$T/root" --docker-legacy "$T/image"
	mkdir "$T/x"
	tar -C "$T/x" -xf "$T/image"
	layer=$(echo "$T"/x/*/layer.tar)
	flip "$layer" $(($(stat -c %s "$layer") / 2))
	tar -C "$T/x" -cf "$T/image" .
	refused "$T/image" cat /marker
	says '[0-9a-f]{12}'
}

@test "a blob that is missing" {
	marked_root
	mkimage "$T/root" --oci-dir "$T/layout"
	for blob in "$T"/layout/blobs/sha256/*; do
		mv "$blob" "$T/away"
		refused "$T/layout" cat /marker
		mv "$T/away" "$blob"
	done
}

@test "an archive that ends too early, anywhere" {
	marked_root
	for what in '--docker none' '--docker gzip' '--oci zstd' '--tar xz' '--tar zstd' '--tar bzip2'; do
		mkimage "$T/root" ${what% *} --compress ${what#* } "$T/image"
		n=$(stat -c %s "$T/image")
		for part in 1 10 50 90 99; do
			head -c $((n * part / 100)) "$T/image" > "$T/short"
			refused "$T/short" cat /marker
		done
	done
}

@test "bytes that are no image" {
	head -c 100000 /dev/urandom > "$T/noise"
	refused "$T/noise" true
	: > "$T/empty"
	refused "$T/empty" true
	echo "hello world" > "$T/text"
	refused "$T/text" true
	gzip -k "$T/text"
	refused "$T/text.gz" true
	head -c 102400 /dev/zero > "$T/zeros"
	refused "$T/zeros" true
}

@test "documents that are no JSON, or not what they should be" {
	marked_root
	mkimage "$T/root" --oci-dir "$T/layout"
	cp "$T/layout/index.json" "$T/good"
	for bad in '' '{' '[]' 'null' '{"manifests":7}' '{"manifests":[]}' \
		'{"manifests":[{"digest":"sha256:../../../../etc/passwd","size":3}]}' \
		'{"manifests":[{"digest":"md5:00000000000000000000000000000000","size":3}]}' \
		"$(sed 's/"size":[0-9]*/"size":-1/' "$T/good")" \
		"$(sed 's/"size":[0-9]*/"size":1/' "$T/good")" \
		"$(sed 's/"size":[0-9]*/"size":99999999999999/' "$T/good")"; do
		printf '%s' "$bad" > "$T/layout/index.json"
		refused "$T/layout" true
	done
	cp "$T/good" "$T/layout/index.json"
	starts "$T/layout"
}

@test "entries that would leave the root stay inside" {
	small "$T/root"
	ln -s / "$T/root/up"
	mkdir "$T/2"
	echo 1 > "$T/2/escaped-$$"
	tar -C "$T/2" --transform "s,^,up$T/," -cf "$T/2.tar" "escaped-$$"
	mkimage "$T/root" --layer "$T/2.tar" --docker "$T/image"
	try "$T/image" cat "$T/escaped-$$"
	[ ! -e "$T/escaped-$$" ]
	[ "$status" != 0 ] || is "$output" 1
	tar -C "$T/2" -P --transform "s,^,../../../../../../../..$T/," -cf "$T/3.tar" "escaped-$$"
	mkimage "$T/root" --layer "$T/3.tar" --docker "$T/image"
	try "$T/image" true
	[ ! -e "$T/escaped-$$" ]
}

@test "forms that are known and not read say so" {
	printf 'hsqs' > "$T/x.sqsh"
	head -c 4096 /dev/zero >> "$T/x.sqsh"
	fails 125 "$T/x.sqsh" true
	says '[Ss]quash'
	fails 125 docker://example/image true
	says 'registr'
}
