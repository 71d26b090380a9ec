#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# epilog.sh - a sample Epilog for slurmd, run as root on each node behind a job's last task there:
# takes back what prolog.sh did, and only this job's.  The report of DCGM goes to a file in
# REPORT_DIR, where there is one.
: "${MAP_DIR:=${DCGM_HPC_JOB_MAPPING_DIR:-/run/dcgm-jobs}}"
: "${STATE_DIR:=/run/gpurun-dcgm}"
: "${REPORT_DIR:=/var/log/dcgm-jobs}"
set -u
umask 022
export PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"

say() {
	echo "gpurun epilog: $*" >&2
}

patiently() {
	timeout 20 "$@"
}

# This job's line out of all files: the GPUs need not be known.  The last line takes the file along.
unmap() {
	exec 9< "$MAP_DIR"
	flock 9
	for f in "$MAP_DIR"/[0-9]*; do
		grep -qxF "$job" "$f" 2> /dev/null || continue
		new=$MAP_DIR/.${f##*/}.new
		if grep -vxF "$job" "$f" > "$new"; then
			mv "$new" "$f"
		else
			rm -f "$f" "$new"
		fi
	done
	exec 9<&-
}

report() {
	[ -d "$REPORT_DIR" ] || return 0
	(umask 077 && patiently dcgmi stats --verbose --job "$job" > "$REPORT_DIR/$job.txt") ||
		say "no report of job $job"
}

end_record() {
	read -r group < "$STATE_DIR/$job" || return 0
	patiently dcgmi stats --jstop "$job" > /dev/null || say "DCGM did not record job $job"
	report
	patiently dcgmi stats --jremove "$job" > /dev/null
	patiently dcgmi group --delete "$group" > /dev/null || say "DCGM keeps group $group"
	rm -f "$STATE_DIR/$job"
}

job=${SLURM_JOB_ID-}
case $job in '' | *[!0-9]*) exit 0 ;; esac
[ "$(id -u)" = 0 ] || { say "for root"; exit 0; }
[ ! -d "$MAP_DIR" ] || unmap
[ ! -e "$STATE_DIR/$job" ] || end_record
exit 0
