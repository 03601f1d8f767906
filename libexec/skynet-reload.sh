#!/bin/sh
# Lets services read configuration and code anew.
set -eu
verb=reload
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet reload [--timeout S] NAME…|--all

Lets running services read configuration and code anew. Idle workers are replaced now, busy ones when
they finish (SIGHUP). A configuration that is wrong is refused here and changes nothing; code that does
not load is refused by the service, and its workers stay.
NAME may be amqp-spool.

  -t, --timeout S  wait at most S seconds for each to try its code (default: start_limit and 10)
      --all        every participant that runs

Exit code: 0; 1 the code of one does not load; 3 one does not run; 4 no such participant;
78 the configuration is wrong.'
}

# A line of the status file of a participant, who may have put anything there.
status_line()
{
	[ -f "$home_run/$1/status" ] && [ ! -L "$home_run/$1/status" ] || return 0
	timeout 2 sed -n "s/^$2: //p" "$home_run/$1/status" 2>/dev/null | LC_ALL=C tr -d '\000-\011\013-\037\177' | head -n 1
}

# Waits until NAME has decided on more than COUNT reloads, and says so if it was against this one.
await_reload()
{
	_limit=$(config -p "$1" participant.start_limit 2>/dev/null) || _limit=60
	_tries=$((${timeout:-$((_limit + 10))} * 20))
	while [ "$(status_line "$1" reloads)" = "$2" ]; do
		_tries=$((_tries - 1))
		if [ "$_tries" -le 0 ] || ! is_running "$1"; then
			say "$1: not reloaded: it does not answer"
			return 1
		fi
		sleep 0.05
	done
	_why=$(status_line "$1" reload)
	[ -n "$_why" ] || return 0
	say "$1: not reloaded, what ran before still runs: $_why"
	return 1
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
if [ -n "$names" ] && [ "$code" -ne 78 ]; then
	counts=
	for name in $names; do
		counts="$counts $name:$(status_line "$name" reloads)"
	done
	run_sv hup
	for entry in $counts; do
		name=${entry%%:*}
		[ "$name" = amqp-spool ] || await_reload "$name" "${entry#*:}" || code=1
	done
fi
exit "$code"
