#!/bin/sh
# compile-commands.sh MAKE…: reads what `MAKE -Bn` would compile and prints compile_commands.json.
set -eu
# shellcheck disable=SC2016 # awk's own $
"$@" | awk -v dir="$(pwd)" '
	function quoted(text) { gsub(/[\\"]/, "\\\\&", text); return "\"" text "\"" }
	BEGIN { print "[" }
	/ -c -o [^ ]+ [^ ]+\.c$/ || / -c .*\.c$/ {
		printf "%s  {\"directory\": %s,\n   \"command\": %s,\n   \"file\": %s}", (count++ ? ",\n" : ""),
			quoted(dir), quoted($0), quoted($NF)
	}
	END { print "\n]" }'
