#!/bin/sh
# size.sh: functions of more than 60 lines and C files of more than 400 hold two ideas. Says which, and how many there
# are; fails only with SIZE_STRICT=1.
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2016 # awk's own $
mk/files.sh c | xargs awk -v strict="${SIZE_STRICT:-0}" '
function end_file() {
	if (file != "" && lines > 400) {
		printf "size: %s: %d lines\n", file, lines
		bad++
	}
}
FNR == 1 { end_file(); file = FILENAME; start = 0 }
{ lines = FNR }
# In this style a body begins and ends in the first column, and nothing else of a brace alone does.
/^[a-z].*\(/ { head = $0; sub(/\(.*/, "", head); sub(/.*[ *]/, "", head) }
/^\{/ { start = FNR }
/^\}/ && start > 0 {
	if (FNR - start + 1 > 60) {
		printf "size: %s:%d: %s() has %d lines\n", FILENAME, start, head, FNR - start + 1
		bad++
	}
	start = 0
}
END {
	end_file()
	printf "size: %d findings\n", bad
	exit strict == "1" && bad > 0
}'
