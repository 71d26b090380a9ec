# SPDX-License-Identifier: Apache-2.0
# The table of "cold", and its marks in the file named by -v marks=.  A line of the results: case,
# round, name; exit status, wall, user, system, KiB, rchar, wchar, syscr, syscw; bytes stored, bytes in
# the layers, entries.

{
	if (!(($1, $3) in rounds))
		names[$1] = names[$1] " " $3
	if (!($1 in content))
		cases[++n_cases] = $1
	round_of[$1, $3, ++rounds[$1, $3]] = $2
	failed[$1, $3] += $4 != 0
	value["wall", $1, $3, $2] = $5 / 1000
	value["cpu", $1, $3, $2] = ($6 + $7) / 1000
	value["MiB", $1, $3, $2] = $8 / 1024
	value["read", $1, $3, $2] = $9
	value["written", $1, $3, $2] = $10 / $14
	value["disk", $1, $3, $2] = $13 / $14
	content[$1] = $14
	entries[$1] = $15
}

function median_of(v, n,   i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
			t = v[j]
			v[j] = v[j - 1]
			v[j - 1] = t
		}
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

# of NAME; with BY of the ratios to BY in the rounds of both
function median(what, c, name, by,   i, n, r, v) {
	for (i = 1; i <= rounds[c, name]; i++) {
		r = round_of[c, name, i]
		if (!by)
			v[++n] = value[what, c, name, r]
		else if ((what, c, by, r) in value)
			v[++n] = value[what, c, name, r] / value[what, c, by, r]
	}
	return median_of(v, n)
}

# mark MEASURE of gpurun by that of FLOOR, of RIVAL by that of gpurun, or of gpurun itself
function mark(c, what, name, by, relation, wanted) {
	if (!((c, name) in rounds) || by && !((c, by) in rounds) || failed[c, name])
		return
	printf "%s: %s of %s%s\t%.3f\t%s\t%s\n", c, what, name, by ? " by " by : "",
		median(what, c, name, by), relation, wanted > marks
}

function marks_of(c) {
	if (c ~ /gzip|zstd/) {
		mark(c, "cpu", "gpurun", "unpackfloor", "<=", 1.15)
		mark(c, "wall", "gpurun", "unpackfloor", "<=", 1.5)
	} else {
		mark(c, "cpu", "gpurun", "writefloor", "<=", 1.15)
		mark(c, "cpu", "gpurun", "writefloor-sha", "<=", 1.15)
	}
	if (c == "debian.gzip") {
		mark(c, "cpu", "umoci+crun", "gpurun", ">=", 4)
		mark(c, "cpu", "podman", "gpurun", ">=", 6)
		mark(c, "cpu", "apptainer", "gpurun", ">=", 35)
		mark(c, "cpu", "apptainer-sandbox", "gpurun", ">=", 3)
		mark(c, "cpu", "tar-z", "gpurun", ">=", 1.5)
	}
	mark(c, "written", "gpurun", "", "<=", 1.01)
	mark(c, "MiB", "gpurun", "", "<=", 64)
	# a table of descriptors, libraries and a file of state: not the archive
	mark(c, "read", "again", "", "<=", 65536)
}

END {
	for (i = 1; i <= n_cases; i++) {
		c = cases[i]
		printf "\n%s: %.0f MB in %d entries\n%-18s %2s %8s %8s %7s %8s %8s %8s\n", c,
			content[c] / 1e6, entries[c], "", "n", "wall s", "cpu s", "MiB", "written", "on disk",
			"x cpu"
		n = split(names[c], name, " ")
		for (j = 1; j <= n; j++)
			printf "%-18s %2d %8.3f %8.3f %7.1f %8.2f %8.2f %8.2f%s\n", name[j],
				rounds[c, name[j]], median("wall", c, name[j]), median("cpu", c, name[j]),
				median("MiB", c, name[j]), median("written", c, name[j]),
				median("disk", c, name[j]), median("cpu", c, name[j], "gpurun"),
				failed[c, name[j]] ? " failed" : ""
		if (c !~ /^small/)
			marks_of(c)
	}
}
