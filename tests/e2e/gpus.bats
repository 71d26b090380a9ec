#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# gpurun gpus: on hosts that are directories of text, and on a machine that looks as if it had
# three GPUs, with a library of our own in the place of libnvidia-ml.
load common

test_setup_file() {
	export ROOT=$FILE_DIR/driver NVML
	NVML=$ROOT/usr/lib64/libnvidia-ml.so.550.163.01
	mkdir -p -m 755 "$ROOT" "$ROOT/usr/lib64"
	mkdir -m 777 "$FILE_DIR/seen"
	${CC:-gcc} -O1 -w -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o "$NVML" \
		-DWITNESS="\"$FILE_DIR/seen/loaded\"" "$HELPERS/fake-nvml.c" -ldl
	ln -s "${NVML##*/}" "$ROOT/usr/lib64/libnvidia-ml.so.1"
}

test_setup() {
	rm -f "$FILE_DIR/seen/loaded"
}

# on HOST OPTION... - gpurun gpus, on a host of tests/fixtures
on() {
	local host=$1
	shift
	try gpus --sysroot "$REPO/tests/fixtures/host-$host" "$@"
	is "$status" 0
}

# machine CONF OPTION... - gpurun gpus where NVML behaves as CONF says; MACHINE: options of
# machine.sh
machine() {
	need_root
	unshare --mount true || cannot "no mount namespaces"
	printf 'gpus 3\n%s\n' "$1" > "$NVML.conf"
	shift
	try_command bash "$HELPERS/machine.sh" ${MACHINE-} -- "$GPURUN" gpus --driver-root "$ROOT" "$@"
	is "$status" 0
}

# column NAME - of the table in $output, a line a row
column() {
	local head
	head=$(head -1 <<< "$output")
	[[ $head == *"$1"* ]] || { echo "no column $1 in: $head"; return 1; }
	local before=${head%%"$1"*} next
	next=${head#"$before"}
	next=${next%%"${next##*"$1"*([! ])}"}
	awk -v from=$((${#before} + 1)) -v name="$1" 'NR == 1 {
			rest = substr($0, from + length(name)); match(rest, /[^ ]/)
			width = RSTART ? length(name) + RSTART - 1 : 0; next }
		{ cell = width ? substr($0, from, width) : substr($0, from)
		  sub(/ +$/, "", cell); print cell }' <<< "$output"
}

json() {
	python3 -c "import json, sys
v = json.load(sys.stdin)
print($1)" <<< "$output"
}

# ---- without NVML ------------------------------------------------------------------------------

@test "no GPU: an empty table, and the word that there is none" {
	on plain
	is "$(wc -l <<< "$output")" 1
	is "$stderr" 'gpurun: there is no GPU on this host'
	on plain --json
	is "$(json 'v["gpus"], v["on_bus"], v["driver"], v["nvml"]')" '[] False None False'
	on plain -q
	is "$stderr" ''
}

@test "a GPU on the bus, but no driver" {
	on nodriver
	is "$(wc -l <<< "$output")" 1
	one_message
	says 'its driver is not loaded'
	hints 'modprobe nvidia'
	on nodriver --json
	is "$(json 'v["gpus"], v["on_bus"]')" '[] True'
}

@test "indexes are not minors, and all may be used" {
	on gpu4
	is "$(column INDEX | tr '\n' ' ')" '0 1 2 3 '
	is "$(column MINOR | tr '\n' ' ')" '2 0 3 1 '
	is "$(column AUTO | tr '\n' ' ')" '* * * * '
	is "$(column ACCESS | sort -u)" yes
	is "$stderr" ''
}

@test "who may not be used has no index, but a reason" {
	on denied
	is "$(column INDEX | tr '\n' ' ')" '- 0 - 1 '
	is "$(column AUTO | tr '\n' ' ')" ' *  * '
	has "$(column ACCESS)" '^/dev/nvidia2: Operation not permitted \(device cgroup\)$'
	has "$(column ACCESS)" '^/dev/nvidia3: node missing$'
	on denied --json
	is "$(json '[(g["index"], g["accessible"], bool(g["reason"]), g["auto"]) for g in v["gpus"]]')" \
		'[(None, False, True, False), (0, True, False, True), (None, False, True, False), (1, True, False, True)]'
}

@test "MIG devices stand below their GPU; their indexes are NVML's to tell" {
	on mig
	has "$output" '^  - .* gi[0-9]+/ci[0-9]+ +yes$'
	on mig --json
	has "$(json '[m["index"] for g in v["gpus"] for m in g["mig"]]')" '^\[None(, None)*\]$'
	is "$(json 'set(g["mig_mode"] for g in v["gpus"] if g["mig"])')" '{True}'
}

@test "a word too many, an option of another verb" {
	fails 125 gpus 0
	fails 125 gpus --gpus 0
	says '--gpus'
	fails 125 gpus --driver-root "$T/none"
	says "--driver-root $T/none"
}

# ---- with NVML ---------------------------------------------------------------------------------

@test "memory, and who uses it" {
	need_root
	sleep 100 3>&- &
	machine "user $$
user $!
user 99999999"
	is "$(column MEMORY | head -1)" '1.0 GiB / 40.0 GiB'
	is "$(column 'USED BY' | tr '\n' '|')" "$(printf '%s\n' $$ $! | sort -n |
		sed 's/$/ (root)/' | paste -sd, | sed 's/,/, /'), 99999999|-|-|"
	machine "user $!" --json
	kill $!
	is "$(json '[(u["user"], u["memory"]) for u in v["gpus"][0]["users"]]')" \
		"[('root', $((1 << 30)))]"
	is "$(json 'v["gpus"][1]["memory_used"], v["gpus"][1]["utilization"]')" "$((2 << 30)) 11"
	is "$(json 'v["gpus"][2]["brand"], v["gpus"][2]["compute_capability"]')" 'Tesla 8.0'
	is "$stderr" ''
	machine 'users 5000'
	has "$(column 'USED BY' | head -1)" '^100000, 100001, 100002 and 4997 more$'
}

@test "an ordinary user sees the same" {
	machine 'links 1
user 1'
	local first=$output
	MACHINE='-u 20001' machine 'links 1
user 1'
	is "$output" "$first"
	is "$stderr" ''
}

@test "JSON has all members, whatever is known" {
	local with
	machine 'mig 0
links 1
user 1' --json
	is "$(json 'v["nvml"], v["gpus"][0]["nvlinks"]')" 'True [1]'
	with=$(json 'sorted(v), sorted(v["gpus"][0]), sorted(v["gpus"][0]["mig"][0])')
	MACHINE=-M machine 'init 9' --json
	is "$(json 'v["nvml"]')" False
	is "$(json 'sorted(v), sorted(v["gpus"][0]), sorted(v["gpus"][0]["mig"][0])')" "$with"
}

@test "MIG devices by NVML" {
	MACHINE=-M machine 'mig 0'
	is "$(column INDEX | tr '\n' '|')" '0|  0:0|  0:1|1|2|'
	is "$(column AUTO | tr -d '\n')" '*****'
	is "$(column MODEL | sed -n 2,3p | tr '\n' ' ')" '1g.5gb 1c.2g.10gb '
	is "$(column MIG | tr '\n' ' ')" 'on gi1/ci0 gi2/ci0 - - '
	has "$output" 'MIG-4a6bf101-aaaa-5bbb-8ccc-dddddddddddd'
}

@test "a MIG device that the kernel module does not show cannot be used" {
	machine 'mig 0'
	has "$(column ACCESS)" 'gi1/ci0: no capability file'
	is "$(column AUTO | tr '\n' ' ')" '*   * * '
}

@test "CUDA_VISIBLE_DEVICES narrows what auto takes, and it is said" {
	export CUDA_VISIBLE_DEVICES=1
	machine ''
	is "$(column AUTO | tr '\n' ' ')" ' *  '
	one_message
	says 'narrowed by CUDA_VISIBLE_DEVICES=1$'
}

@test "what NVML cannot tell is a remark, no error" {
	local conf want
	while IFS='|' read -r conf want; do
		machine "$conf"
		one_message
		says "$want"
		is "$(column INDEX | tr '\n' ' ')" '0 1 2 '
		hasnt "$output" MEMORY
	done <<- 'END'
		init 18|its version is not that of the kernel module
		init 9|the NVIDIA kernel module is not loaded
		init 17|refuses the driver's control device
		do crash|crashed \(signal 11\)
		do exit|makes no sense
		do flood|too long
		text 1|makes no sense
	END
	hasnt "$stderr" $'\033'
	ROOT=$T machine ''
	says "libnvidia-ml.so.1: not found below $T"
}

@test "what the library prints reaches nobody" {
	machine 'noise 1' --json
	is "$(json 'len(v["gpus"])')" 3
	is "$stderr" ''
}

@test "it hangs: an answer without it, and nothing is left of it" {
	machine 'do hang'
	one_message
	says 'no answer within 20 seconds'
	is "$(column INDEX | tr '\n' ' ')" '0 1 2 '
	machine 'do orphan'
	is "$stderr" ''
}

@test "gpurun is killed while it hangs: nothing is left of it" {
	need_root
	unshare --mount true || cannot "no mount namespaces"
	echo 'do hang' > "$NVML.conf"
	bash "$HELPERS/machine.sh" -- "$GPURUN" gpus --driver-root "$ROOT" > /dev/null 2>&1 3>&- &
	local pid=$!
	wait_for 10 test -e "$FILE_DIR/seen/loaded"
	wait_for 5 at_least_processes 2
	kill -KILL $pid
	wait_for 5 no_process
}

# ---- and not on the way to a container ---------------------------------------------------------

@test "a start loads no library of the driver, forks for none, opens no device" {
	need_root
	need strace
	unshare --mount true || cannot "no mount namespaces"
	: > "$NVML.conf"
	works -q "$BUSYBOX" true
	try_command bash "$HELPERS/machine.sh" -- \
		strace -E ASAN_OPTIONS=detect_leaks=0 -f -y -o "$T/trace" \
			-e trace=mmap,open,openat,openat2,clone,clone3,fork,vfork,execve \
		"$GPURUN" --dry-run --gpus 0 --driver-root "$ROOT" "$BUSYBOX" true
	hasnt "$(cat "$T/trace")" 'PROT_EXEC.*/(libnvidia|libcuda)'
	hasnt "$(cat "$T/trace")" '^[0-9]+ +(clone|clone3|fork|vfork)\('
	hasnt "$(grep -v O_PATH "$T/trace")" 'open[a-z0-9]*\(.*"/?dev/nvidia'
	has "$(cat "$T/trace")" 'libnvidia-ml\.so\.550\.163\.01'
	[ ! -e "$FILE_DIR/seen/loaded" ]
	machine ''
	[ -e "$FILE_DIR/seen/loaded" ]
}
