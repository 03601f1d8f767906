#!/bin/sh
# Runs one participant in the foreground.
set -eu
verb=manual
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"

usage()
{
	echo 'usage: skynet manual NAME

Runs a participant in the foreground, its log on the terminal, until Ctrl-C. Refused while its service
runs (skynet stop NAME).

Exit code: that of exo; 4 no such participant; 75 it runs already; 77 not permitted.'
}

case ${1:-} in
-h | --help)
	usage
	exit 0
	;;
-?*) wrong_usage "$1: no such option" ;;
esac
[ $# -eq 1 ] || wrong_usage 'one NAME is needed'
name=$1
load_home
if [ "$name" = amqp-spool ] || ! service_exists "$name"; then
	die 4 "$name: no such participant"
fi
must_own_home
! is_running "$name" || die 75 "$name runs already (skynet stop $name)"
as=$("$SKYNET_LIBEXEC/skynet-prepare" "$name")
cd "$home_sv/skynet-$name"

# In a session of its own: Ctrl-C reaches us alone and becomes one orderly stop.
setsid env --default-signal=INT,QUIT ${as:+chpst -u "$as"} "$SKYNET_LIBEXEC/exo" --home "$SKYNET_HOME" "$name" &
pid=$!
trap 'kill -TERM "$pid" 2>/dev/null || :' INT TERM HUP
while :; do
	code=0
	wait "$pid" || code=$?
	kill -0 "$pid" 2>/dev/null || break # else a signal only ended the wait
done
exit "$code"
