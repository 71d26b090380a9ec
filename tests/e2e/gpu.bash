# SPDX-License-Identifier: Apache-2.0
# For tests on machines that look as if they had GPUs (tests/helpers/machine.sh): "load gpu" behind
# "load common".  Only root can make such a machine; in it gpurun is started as root and as an
# ordinary user, and both must be the same.

need_machine() {
	need_root
	unshare --mount true || cannot "no mount namespaces"
	mkdir -p -m 700 "$T/user"/{run,store,home}
	chown -R 20001 "$T/user"
}

# A driver made of stubs, once a file, with an nvidia-modprobe.
stub_driver() {
	export STUB=$FILE_DIR/stub
	[ "$(id -u)" != 0 ] || bash "$HELPERS/stub-driver.sh" -M "$STUB" 550.163.01
}

# machine [OPTION...] -- COMMAND... - the driver is that of stubs, unless -d comes first
machine() {
	[ "$1" = -d ] || set -- -d "$STUB" "$@"
	bash "$HELPERS/machine.sh" "$@"
}

# The same with an ordinary user's own directories; "-u 20001" makes COMMAND his.
user_machine() (
	export XDG_RUNTIME_DIR=$T/user/run HOME=$T/user/home XDG_CONFIG_HOME=$T/user/home
	export GPURUN_STORE=$T/user/store
	machine "$@"
)

# on_root, on_user [MACHINE-OPTION...] -- WORD... - start gpurun
on_root() {
	split "$@"
	try_command machine "${MACHINE[@]}" -- "$GPURUN" "${WORDS[@]}"
	forget_unpacking
}

on_user() {
	split "$@"
	try_command user_machine "${MACHINE[@]}" -u 20001 -- "$GPURUN" "${WORDS[@]}"
	forget_unpacking
}

on() {
	local first
	on_root "$@"
	first="$status
$output
$stderr"
	on_user "$@"
	is "$status
$output
$stderr" "$first" || { echo "(want: as root)"; return 1; }
}

split() {
	MACHINE=()
	while [ "$1" != -- ]; do
		MACHINE+=("$1")
		shift
	done
	WORDS=("${@:2}")
}
