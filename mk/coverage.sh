#!/bin/sh
# coverage.sh DIR: which share of the lines of each file ran, from gcov's data below DIR/obj; the least covered first.
set -eu
cd "$(dirname "$0")/.."
find "$1/obj" -path "$1/obj/tests" -prune -o -name '*.gcno' -exec gcov --no-output {} + 2>/dev/null | awk '
	/^File / { file = substr($2, 2, length($2) - 2) }
	/^Lines executed:/ && file ~ /^(lib|libexec|spool-tools)\/.*\.c$/ {
		split($2, part, /[:%]/)
		share[file] = part[2]
		lines[file] = $4
		file = ""
	}
	END {
		for (f in share) {
			printf "%6.1f %%  %5d lines  %s\n", share[f], lines[f], f | "sort -n"
			ran += share[f] * lines[f] / 100
			all += lines[f]
		}
		close("sort -n")
		printf "%6.1f %%  %5d lines  in all\n", all ? 100 * ran / all : 0, all
	}'
