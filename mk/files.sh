#!/bin/sh
# files.sh c|sh|py|man: the project's files of a kind, one a line; those that git tracks, or, in a source tree without git, all.
set -eu
cd "$(dirname "$0")/.."

all()
{
	if [ -e .git ]; then
		git ls-files --cached
	else
		find . -type f ! -path './build*' | sed 's|^\./||'
	fi
}

# Files without an ending are told by their first line.
shebang()
{
	while read -r file; do
		read -r first <"$file" || continue
		case $first in
		'#!'*"$1"*) echo "$file" ;;
		esac
	done
}

present()
{
	while read -r file; do
		[ ! -f "$file" ] || echo "$file"
	done
}

case ${1:-} in
c) all | grep '\.[ch]$' | present ;;
sh)
	all | grep '\.sh$' | present
	all | grep -E '^(bin|\.ci|bench|tests|sv-templates|packaging)/' | grep -v '/[^/]*\.[^/]*$' | present | shebang sh
	all | grep -E '\.bash$' | present
	;;
py)
	all | grep '\.py$' | present
	all | grep -E '^(bench|tests|examples)/' | grep -v '/[^/]*\.[^/]*$' | present | shebang python
	;;
man) all | grep '^docs/man/.*\.[1-8]$' | present ;;
*)
	echo 'usage: files.sh c|sh|py|man' >&2
	exit 64
	;;
esac
