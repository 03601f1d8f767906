#!/bin/sh
# Lists the verbs, shows the help of one, or names those that an unknown one may have meant.
set -eu
verb=help
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"

verbs()
{
	for file in "$SKYNET_LIBEXEC"/skynet-*; do
		v=${file##*/skynet-}
		case $v in
		prepare | mkspool) ;; # for run scripts and install
		*) [ ! -x "$file" ] || echo "$v" ;;
		esac
	done
}

# The first sentence of a verb's help, or nothing.
about()
{
	case $1 in
	help) echo 'Lists the verbs, or explains one' ;;
	version) echo 'Prints the version' ;;
	*) "$SKYNET_LIBEXEC/skynet-$1" --help 2>/dev/null | sed -n '/^usage:/,/^$/d; /./{s/\. .*//; s/[.:]$//; p; q}' ;;
	esac
}

list()
{
	echo 'usage: skynet [--home DIR] VERB [ARGUMENTS]
'
	for v in $(verbs); do
		printf '  %-10s %s\n' "$v" "$(about "$v")"
	done
	echo '
skynet help VERB and skynet VERB --help explain one. The home is --home DIR, else SKYNET_HOME, else the
system: /etc/skynet, /var/spool/skynet, … See docs/HOME.md.'
}

# Edit distance, an exchange of neighbours counting as one, prefixes as near.
closest()
{
	verbs | awk -v w="$1" '
	function min(a, b) { return a < b ? a : b }
	function distance(a, b,   i, j, c) {
		for (i = 0; i <= length(a); i++) d[i, 0] = i
		for (j = 0; j <= length(b); j++) d[0, j] = j
		for (i = 1; i <= length(a); i++) for (j = 1; j <= length(b); j++) {
			c = substr(a, i, 1) != substr(b, j, 1)
			d[i, j] = min(min(d[i-1, j] + 1, d[i, j-1] + 1), d[i-1, j-1] + c)
			if (i > 1 && j > 1 && substr(a, i, 1) == substr(b, j-1, 1) && substr(a, i-1, 1) == substr(b, j, 1))
				d[i, j] = min(d[i, j], d[i-2, j-2] + 1)
		}
		return d[length(a), length(b)]
	}
	{
		n = length(w) >= 2 && index($0, w) == 1 ? 0 : distance(w, $0)
		if (best == "" || n < least) { least = n; best = $0 } else if (n == least) best = best ", " $0
	}
	END { if (least <= 2) print best }'
}

case ${1:-} in
'' | -h | --help) list ;;
--unknown)
	near=$(closest "${2:-}")
	echo "skynet: '${2:-}' is no verb${near:+, did you mean: $near?}" >&2
	echo 'Try: skynet help' >&2
	exit 64
	;;
*)
	if verbs | grep -qxF -e "$1"; then
		exec "$SKYNET_LIBEXEC/skynet-$1" --help
	fi
	exec "$0" --unknown "$1"
	;;
esac
