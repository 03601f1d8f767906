#!/bin/sh
# Lets services read configuration and code anew.
set -eu
verb=reload
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet reload NAME…|--all

Lets running services read configuration and code anew. Idle workers are replaced now, busy ones when
they finish (SIGHUP). A configuration that is wrong is refused here and changes nothing.
NAME may be amqp-spool.

      --all  every participant that runs

Exit code: 0; 3 one does not run; 4 no such participant; 78 the configuration is wrong.'
}

parse_names "$@"
code=0 running=
for name in $names; do
	if ! is_running "$name"; then
		[ "$all" = yes ] || say "$name: not running"
		[ "$all" = yes ] || code=3
	elif [ "$name" = amqp-spool ]; then
		config --check || code=78
		running="$running $name"
	elif config --check -p "$name"; then
		running="$running $name"
	else
		code=78
	fi
done
names=$running
[ -z "$names" ] || [ "$code" -eq 78 ] || run_sv hup
exit "$code"
