#!/bin/sh
# tidy.sh DIR FILE…: clang-tidy over each FILE, with compile_commands.json. DIR remembers what was clean: a file is looked
# at again when it, a header, the flags or the checks changed.
set -eu
cd "$(dirname "$0")/.."
cache=$1
shift
mkdir -p "$cache"
common=$(mk/files.sh c | grep '\.h$' | xargs cat .clang-tidy compile_commands.json | cat - mk/tidy.sh | sha256sum | cut -c1-16)
bad=0
for file; do
	stamp=$cache/$(echo "$common $(sha256sum "$file")" | sha256sum | cut -c1-32)
	[ ! -e "$stamp" ] || continue
	# One file at a time: with several, clang-tidy 14 sees uninitialised va_lists where there are none.
	if clang-tidy -p . --quiet "$file" >"$stamp.out" 2>"$stamp.err"; then
		: >"$stamp"
	else
		grep -E '(error|warning|note):' "$stamp.out" | grep -v 'note: .*\(Assuming\|Taking\|Entering\|Loop condition\)' || cat "$stamp.err"
		bad=1
	fi
	rm -f "$stamp.out" "$stamp.err"
done
exit "$bad"
