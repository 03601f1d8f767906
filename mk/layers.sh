#!/bin/sh
# layers.sh: who may include what. The floors of lib/ see only what is below them, programs never see each other, and
# every third-party library stays behind the files that are named here.
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2016 # awk's own $
mk/files.sh c | xargs awk '
BEGIN {
	n = split("base sys data spool svc", floor)
	for (i = 1; i <= n; i++)
		height[floor[i]] = i
	# header (a pattern) -> where it may be included (a pattern of paths)
	only["^(amqp[a-z_]*|rabbitmq-c/.*)\\.h$"] = "^(libexec/amqp-spool|bench|tests/fuzz)/"
	only["^openssl/(ssl|err|x509.*)\\.h$"] = "^libexec/amqp-spool/"
	only["^nettle/"] = "^lib/data/digest\\.c$"
	only["^Python\\.h$"] = "^libexec/exo-python/"
	only["^(cjson/)?cJSON\\.h$"] = "^(lib/data/workitem\\.c|libexec/amqp-spool/(reject|air_request)\\.c)$"
	only["^sqlite3\\.h$"] = "^lib/svc/history\\.c$"
	only["^ini\\.h$"] = "^lib/data/ini\\.c$"
	only["^ev\\.h$"] = "^(libexec/(amqp-spool|exo)|tests)/"
	only["^cmocka\\.h$"] = "^tests/"
}
function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad++ }
function exists(path,   line, there) {
	there = (getline line <path) >= 0
	close(path)
	return there
}
# An angled include.
function check_library(header,   pattern) {
	for (pattern in only)
		if (header ~ pattern && FILENAME !~ only[pattern])
			complain("<" header "> is for " only[pattern])
}
# A quoted one: "floor/x.h", or a file of the same program.
function check_own(header,   part, mine, dir) {
	dir = FILENAME
	sub(/\/[^\/]*$/, "", dir)
	split(header, part, "/")
	if (header ~ /^[a-z]+\/[a-z0-9_]+\.h$/ && part[1] in height) {
		split(FILENAME, mine, "/")
		if (mine[1] == "lib" && height[part[1]] > height[mine[2]])
			complain("\"" header "\": lib/" mine[2] " is below lib/" part[1])
		else if (mine[1] == "bench")
			complain("\"" header "\": bench/ stands alone")
		else if (!exists("lib/" header))
			complain("\"" header "\": no such file")
	} else if (FILENAME ~ /^lib\//) {
		complain("\"" header "\": write it as \"FLOOR/x.h\"")
	} else if (header ~ /\//) {
		complain("\"" header "\": neither of a floor nor of this program")
	} else if (!exists(dir "/" header)) {
		complain("\"" header "\": not a file of " dir)
	}
}
FNR == 1 && FILENAME ~ /^lib\// {
	split(FILENAME, mine, "/")
	if (!(mine[2] in height))
		complain("lib/" mine[2] " is no floor")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	check_library(header)
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	header = $0
	sub(/^[^"]*"/, "", header)
	sub(/".*/, "", header)
	check_own(header)
}
END { exit bad > 0 }'
