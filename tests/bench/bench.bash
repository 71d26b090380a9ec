# SPDX-License-Identifier: Apache-2.0
# What every measurement of starts begins with: programs, images, a place for them, a table of marks.
#
#	GPURUN, BUILD        the program that is measured, and the build directory (its seccomp filters)
#	GPURUN_BENCH_TMP     a tmpfs for stores and root file systems (default /dev/shm)
#	GPURUN_BENCH_UID     who measures, when root starts it
#	GPURUN_BENCH_MARKS   a file that the lines about marks are added to
set -eu
export LC_ALL=C
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
helpers=$repo/tests/helpers
build=${BUILD:-$repo/build}
gpurun=$(realpath "${GPURUN:-$repo/gpurun}")
case $build in /*) ;; *) build=$repo/$build ;; esac

# As root: mounts that runtimes leave end with us, and crun sees a machine without cgroup v1.
bench_alone() {
	[ "$(id -u)" = 0 ] || return 0
	[ -n "${GPURUN_BENCH_INSIDE-}" ] || GPURUN_BENCH_INSIDE=1 exec unshare -m bash "$@"
	if [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ]; then
		umount -R /sys/fs/cgroup
		mount -t cgroup2 none /sys/fs/cgroup
	fi
	[ "${GPURUN_BENCH_UID:-0}" = 0 ] ||
		exec setpriv --reuid "$GPURUN_BENCH_UID" --regid "$GPURUN_BENCH_UID" --clear-groups \
			env USER="$(id -un "$GPURUN_BENCH_UID" 2> /dev/null || echo user)" bash "$@"
}

bench_end() {
	local status=$?
	[ -z "${burners-}" ] || kill $burners 2> /dev/null || :
	umount -R "$dir/podman/overlay" 2> /dev/null || :
	rm -rf "$dir" 2> /dev/null || podman unshare rm -rf "$dir" 2> /dev/null || :
	return $status
}

# Makes $dir, where everything is, $images, and the programs in $dir/bin; nothing of the caller's
# environment changes what gpurun does.
bench_begin() {
	dir=$(mktemp -d "${GPURUN_BENCH_TMP:-/dev/shm}/gpurun-bench.XXXXXX")
	chmod 755 "$dir"
	trap bench_end EXIT
	trap 'exit 1' HUP INT TERM
	mkdir -p "$dir"/{bin,base,tmp}
	mkdir -m 700 "$dir"/{run,home}
	images=$(bash "$helpers/test-images.sh")
	unset ${!GPURUN_STORE_@} ${!SLURM_@} ${!GPURUN_GPU@} CUDA_VISIBLE_DEVICES XDG_CONFIG_HOME XDG_DATA_HOME
	export USER=${USER:-$(id -un)} XDG_RUNTIME_DIR=$dir/run HOME=$dir/home TMPDIR=$dir/tmp GPURUN_STORE=$dir/store
	local cc=("${CC:-cc}" -std=gnu17 -O2 -Wall -D_GNU_SOURCE)
	"${cc[@]}" -o "$dir/bin/turns" "$repo/tests/bench/turns.c"
	"${cc[@]}" -I"$build/gen" -o "$dir/bin/floor" "$repo/tests/bench/floor.c"
	"${cc[@]}" -I"$build/gen" -static -o "$dir/bin/floor-static" "$repo/tests/bench/floor.c"
	# a root file system that belongs to who measures: the overlay of another cannot copy up
	cp -R --no-preserve=ownership "$images/busybox" "$dir/busybox"
	PATH=$dir/bin:$PATH:/usr/sbin:/sbin
	busybox=$images/busybox.tar
	# shellcheck disable=SC2034 # for whom includes us
	floor=(floor -b "$dir/base") floor_static=(floor-static -b "$dir/base")
	"$gpurun" -q "$busybox" true
}

machine_line() {
	printf '%s, Linux %s, %s CPUs, %s, %s, as %s\n' "$(. /etc/os-release && echo "$PRETTY_NAME")" "$(uname -r)" \
		"$(nproc)" "$(sed -n '/^model name/{s/.*: //p;q}' /proc/cpuinfo)" "$("$gpurun" version | head -n 1)" \
		"$([ "$(id -u)" = 0 ] && echo root || echo 'ordinary user')"
}

# ---- contestants: the words of "turns" --------------------------------------------------------

contest=()
left_out=()

# contestant NAME COMMAND... - takes part if it is here and works
contestant() {
	local name=$1 why
	shift
	if ! command -v "$1" > /dev/null; then
		left_out+=("$name: not installed")
	elif ! why=$("${@//\{\}/0}" 2>&1 > /dev/null < /dev/null); then
		left_out+=("$name: does not work here: $(tail -n 1 <<< "$why" | cut -c1-100)")
	else
		contest+=(${contest:+---} "$name" "$@")
	fi
}

# compete TITLE OPTION... - take turns; the table stays in $table
compete() {
	local l
	table=$dir/table
	echo
	echo "$1"
	turns -q "${quiet:-60}" -o "$table" "${@:2}" "${contest[@]}"
	for l in "${left_out[@]}"; do echo "$l"; done
	contest=() left_out=()
}

# value NAME COLUMN - of the last table; nothing when NAME took no part or failed
value() {
	awk -F '\t' -v name="$1" -v column="$2" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		$1 == name && $at["fail"] == 0 { print $at[column] }' "$table"
}

# ---- marks -------------------------------------------------------------------------------------

marks=()

# mark TITLE VALUE <=|>= MARK [CPU]
mark() {
	local line
	line=$(awk -v t="$1" -v v="$2" -v o="$3" -v m="$4" -v cpu="${5-}" 'BEGIN {
		verdict = v == "" ? "not measured" : (o == "<=" ? v + 0 <= m + 0 : v + 0 >= m + 0) ? "met" : "MISSED"
		printf "%-52s %10s %7s  %s %-8s %s", t, v == "" ? "-" : v, cpu, o, m, verdict }')
	marks+=("$line")
	[ -z "${GPURUN_BENCH_MARKS-}" ] || echo "$line" >> "$GPURUN_BENCH_MARKS"
}

# mark_ratio TITLE RIVAL MARK [>=] - time (or launches/s) of gpurun, the first of the table, by the
# rival's; the same of their processor time beside it
mark_ratio() {
	mark "$1" "$(value "$2" ratio | invert)" "${4:-<=}" "$3" "$(value "$2" cpuratio | invert)"
}

invert() {
	awk '{ printf "%.3f", 1 / $1 }'
}

# mark_times TITLE RIVAL MARK - how many times gpurun's time the rival takes
mark_times() {
	mark "$1" "$(value "$2" ratio)" '>=' "$3" "$(value "$2" cpuratio)"
}

# slope WHAT ms|calls us|calls - of lines "X Y": the straight line through them, and how far one is from
# it at most, against the last
slope() {
	awk -v what="$1" -v unit="$2" -v small="$3" '
		{ x[NR] = $1; y[NR] = $2; sx += $1; sy += $2; sxx += $1 * $1; sxy += $1 * $2 }
		END {
			if (NR < 2)
				exit
			b = (NR * sxy - sx * sy) / (NR * sxx - sx * sx)
			a = (sy - b * sx) / NR
			for (i = 1; i <= NR; i++) {
				d = y[i] - a - b * x[i]
				off = off < d ? d : off < -d ? -d : off
			}
			printf "%-46s %8.2f %s, and %.2f for all; %.1f %% off the line at most\n", what, \
				small == "us" ? b * 1000 : b, small, a, 100 * off / y[NR]
		}'
}

marks_print() {
	echo
	printf '%-52s %10s %7s  %s\n' mark measured '(cpu)' wanted
	printf '%s\n' "${marks[@]}"
}
