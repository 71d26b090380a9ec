# SPDX-License-Identifier: Apache-2.0
# The table of "cold".  A line of its results: case, round, name; exit status, wall, user, system,
# KiB, rchar, wchar, syscr, syscw; bytes stored, bytes in the layers, entries.

BEGIN {
	# cases, name, measure, and what it has to be: "x MAX" gpurun / it, "/ MIN" it / gpurun,
	# "= MAX" itself
	n_marks = split("^(debian|cuda).(gzip|zstd) unpackfloor cpu x 1.15," \
		"^(debian|cuda).(gzip|zstd) unpackfloor wall x 1.5," \
		"^debian.gzip umoci+crun cpu / 4," \
		"^debian.gzip podman cpu / 6," \
		"^debian.gzip apptainer cpu / 35," \
		"^debian.gzip apptainer-sandbox cpu / 3," \
		"^debian.gzip tar-z cpu / 1.5," \
		"^(debian|cuda) gpurun written = 1.02," \
		". gpurun rss = 64," \
		"^debian.(docker|tar) writefloor cpu x 1.15," \
		"^debian.(docker|tar) writefloor-sha cpu x 1.15", marks, ",")
}

{
	if (!($1 in seen_case)) {
		seen_case[$1]
		cases[++n_cases] = $1
	}
	if (!(($1, $3) in rounds))
		names[$1, ++n_names[$1]] = $3
	r = ++rounds[$1, $3]
	round_of[$1, $3, r] = $2
	failed[$1, $3] += $4 != 0
	value["wall", $1, $3, $2] = $5 / 1000
	value["cpu", $1, $3, $2] = ($6 + $7) / 1000
	value["rss", $1, $3, $2] = $8 / 1024
	value["written", $1, $3, $2] = $10 / $14
	value["disk", $1, $3, $2] = $13 / $14
	value["read", $1, $3, $2] = $9
	content[$1] = $14
	entries[$1] = $15
}

function median_of(v, n,   i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
			t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
		}
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

function median(what, c, name,   i, v) {
	for (i = 1; i <= rounds[c, name]; i++)
		v[i] = value[what, c, name, round_of[c, name, i]]
	return median_of(v, rounds[c, name])
}

# gpurun by NAME, median of the rounds that both ran in
function ratio(what, c, name,   i, v, r) {
	for (i = 1; i <= rounds[c, name]; i++) {
		r = round_of[c, name, i]
		v[i] = value[what, c, "gpurun", r] / value[what, c, name, r]
	}
	return median_of(v, rounds[c, name])
}

# the marks of a row and whether they are met
function judge(c, name,   i, m, x, text) {
	for (i = 1; i <= n_marks; i++) {
		split(marks[i], m, " ")
		if (c !~ m[1] || name != m[2])
			continue
		x = m[4] == "=" ? median(m[3], c, name) : ratio(m[3], c, name)
		if (m[4] == "/")
			x = 1 / x
		text = text sprintf("%s %s %.2f (mark %s) %s;", m[3], m[4], x, m[5],
			(m[4] == "/" ? x >= m[5] : x <= m[5]) ? "met" : "MISSED")
	}
	return text
}

END {
	for (i = 1; i <= n_cases; i++) {
		c = cases[i]
		printf "\n%s: %.0f MB in %d entries\n", c, content[c] / 1e6, entries[c]
		printf "%-18s %3s %8s %8s %7s %7s %7s %8s  %s\n", "", "n", "wall s", "cpu s", "MiB", \
			"written", "on disk", "x cpu", "marks"
		for (j = 1; j <= n_names[c]; j++) {
			name = names[c, j]
			printf "%-18s %3d %8.2f %8.2f %7.1f %7.2f %7.2f %8.2f  %s%s\n", name, \
				rounds[c, name], median("wall", c, name), median("cpu", c, name), \
				median("rss", c, name), median("written", c, name), \
				median("disk", c, name), 1 / ratio("cpu", c, name), \
				judge(c, name), failed[c, name] ? " (failed)" : ""
		}
		printf "%-18s %.0f bytes read by the second start\n", "", median("read", c, "again")
	}
}
