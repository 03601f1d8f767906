#!/bin/sh
# man-check.sh LIBEXECDIR: the pages in docs/man/ against the programs that were built: every verb and program has a page,
# every option of its --help stands there (and the other way round), every configuration key with its default and its
# range; references lead somewhere; every failpoint of the source is a step in docs/SPOOL.md.
set -eu
cd "$(dirname "$0")/.."
bin=${1:?usage: man-check.sh LIBEXECDIR}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

complain()
{
	echo "man: $*"
	bad=$((bad + 1))
}

# The page of a program, '' if there is none.
page_of()
{
	for p in docs/man/"$1".[18]; do
		[ ! -e "$p" ] || echo "$p"
	done
}

# "--option" and "-o" of a help text, as "--option" and "-o", one a line.
options_of_help()
{
	sed -n 's/^ \{2,6\}\(-[A-Za-z]\)\(,\| \|$\).*/\1/p' "$1"
	grep -oE -- '(^|[^-A-Za-z])--[a-z][a-z-]*' "$1" | grep -oE -- '--[a-z-]+' || :
}

# The same of a page: what .It Fl introduces, and for the other way round whatever it mentions.
options_of_page()
{
	sed -n '/^\.It Fl /p' "$1" | tr ' ' '\n' | sed -n '/^Fl$/{n;s/^/-/p;}' | sed 's/^--*\([A-Za-z]\)$/-\1/'
}

check_program()
{
	name=$1
	page=$(page_of "$name")
	if [ -z "$page" ]; then
		complain "$name has no page docs/man/$name.1 (or .8)"
		return
	fi
	"$bin/$name" --help >"$work/help" 2>&1 </dev/null || : # exo has none: what it says instead will do
	# Options of other commands that it speaks of, and of the dispatcher.
	sed -i -e "s/(skynet [^)]*)//g; s/skynet \\[--home DIR\\]/skynet/; /unrecognized option/d" "$work/help"
	if [ ! -s "$work/help" ]; then
		complain "$name --help says nothing"
		return
	fi
	options_of_help "$work/help" | sort -u >"$work/in-help"
	case $name in # what it prints is about skynet(1)
	skynet-help) cat "$page" docs/man/skynet.1 >"$work/page" ;;
	*) cat "$page" >"$work/page" ;;
	esac
	options_of_page "$work/page" | sort -u >"$work/in-page"
	comm -23 "$work/in-help" "$work/in-page" | while read -r o; do
		echo "man: $page does not explain $o, which $name --help has"
	done >"$work/missing"
	# Scripts do not mention --help itself; -h and --timeout are what they take from lib/.
	comm -13 "$work/in-help" "$work/in-page" | grep -vxE -- '-h|--help|--home|-t|--timeout|-V|--version' | while read -r o; do
		echo "man: $page explains $o, which $name --help does not have"
	done >>"$work/missing"
	cat "$work/missing"
	bad=$((bad + $(wc -l <"$work/missing")))
}

programs()
{
	for f in libexec/*.c libexec/*.sh spool-tools/*.c spool-tools/*.sh; do
		[ ! -e "$f" ] || basename "${f%.*}"
	done
	echo amqp-call
	for d in libexec/*/*.c; do
		basename "$(dirname "$d")"
	done | sort -u
}

# SECTION KEY TEXT, where TEXT is what must stand in the line of the key: its default, its range.
keys()
{
	"$bin/skynet-config" --template >"$work/template"
	awk '
		/^\[/ { section = substr($0, 2, length($0) - 2) }
		/^#[a-z_0-9]+ =/ {
			key = substr($1, 2)
			value = $0
			sub(/^[^=]*= ?/, "", value)
			print section "\t" key "\t" (value == "" ? "unset" : value)
		}' "$work/template"
	# What is refused says what would have been right.
	sed -n '/^\[/p; s/^#\([a-z_0-9]*\) =.*/\1 = ?/p' "$work/template" >"$work/wrong.conf"
	"$bin/skynet-config" --check-file "$work/wrong.conf" 2>&1 | sed -n \
		-e "s/^[^:]*:\([0-9]*\): [a-z_]*: .* is no number from \(.*\)/\1 \2/p" \
		-e "s/^[^:]*:\([0-9]*\): [a-z_]*: .* is no number of seconds up to \(.*\)/\1 0 to \2/p" \
		-e "s/^[^:]*:\([0-9]*\): [a-z_]*: .* is neither \(.*\) nor \(.*\)/\1 \2 or \3/p" \
		-e "s/^[^:]*:\([0-9]*\): [a-z_]*: .* is none of \(.*\)/\1 \2/p" >"$work/ranges"
	awk '
		FNR == NR { range[$1] = substr($0, length($1) + 2); next }
		/^\[/ { section = substr($0, 2, length($0) - 2); next }
		FNR in range { print section "\t" $1 "\t" range[FNR] }' "$work/ranges" "$work/wrong.conf"
}

check_keys()
{
	keys >"$work/keys"
	[ -s "$work/keys" ] || complain 'skynet-config --template prints no keys'
	while IFS="$(printf '\t')" read -r section key text; do
		line=$(sed -n "/^\.Ss Section $section/,/^\.S[sh] /p" docs/man/skynet.conf.5 | grep "^\.It Ic $key " || :)
		if [ -z "$line" ]; then
			complain "skynet.conf.5 does not have [$section] $key"
			continue
		fi
		case $line in
		*[\ \"]"$text"[\ ,\"]* | *[\ \"]"$text" | *[\ \"]"$text"\") ;;
		*) complain "skynet.conf.5: [$section] $key: '$text' is missing" ;;
		esac
		grep -qw "$key" docs/HOME.md || complain "docs/HOME.md does not have [$section] $key"
	done <"$work/keys"
	sed -n 's/^\.It Ic \([a-z_0-9]*\) Pq.*/\1/p' docs/man/skynet.conf.5 | while read -r key; do
		cut -f2 "$work/keys" | grep -qx "$key" || echo "man: skynet.conf.5 explains $key, which is no key"
	done >"$work/missing"
	cat "$work/missing"
	bad=$((bad + $(wc -l <"$work/missing")))
}

check_references()
{
	sed -n "s/^\.\(It \)*Xr \([a-zA-Z._-]*\) \([1-8]\).*/\2.\3/p" docs/man/*.[1-8] | sort -u |
		grep -E '^(skynet|spool-|exo|amqp-spool|config\.exo)' | while read -r ref; do
		[ -e "docs/man/$ref" ] || echo "man: .Xr to $ref, which does not exist"
	done >"$work/missing"
	cat "$work/missing"
	bad=$((bad + $(wc -l <"$work/missing")))
}

# A macro within a line of text is not seen as one: the page would show it.
check_text()
{
	grep -nE '^[^.].*\b(Fl|Op) -' docs/man/*.[1-8] | sed 's/^/man: a macro in the text: /' >"$work/missing"
	cat "$work/missing"
	bad=$((bad + $(wc -l <"$work/missing")))
}

check_failpoints()
{
	mk/files.sh c | grep -E '^(lib|libexec|spool-tools)/' | xargs sed -n 's/^[^/*]*SN_FAIL("\([^"]*\)").*/\1/p' | sort -u >"$work/steps"
	while read -r step; do
		grep -qF "| $step |" docs/SPOOL.md || complain "docs/SPOOL.md has no step $step, which is a failpoint"
	done <"$work/steps"
}

for name in $(programs); do
	check_program "$name"
done
for verb in libexec/skynet-*; do
	verb=$(basename "${verb%.*}")
	case $verb in skynet-mkspool | skynet-prepare) continue ;; esac
	grep -q "^\.It Xr $verb " docs/man/skynet.1 || complain "skynet.1 does not list $verb"
done
check_keys
check_references
check_text
check_failpoints
[ "$bad" -eq 0 ]
