#!/bin/sh
# Stops services and starts them again.
set -eu
verb=restart
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet restart [--timeout S] NAME…|--all

Stops services and starts them again. For new code or configuration (skynet reload) is gentler: it
interrupts no workitem. Refused, with nothing stopped, when the configuration is wrong.

  -t, --timeout S  for stopping, and again for starting
      --all        every participant

Exit code: that of (skynet start); 78 the configuration is wrong.'
}

parse_names "$@"
for name in $names; do
	if [ "$name" = amqp-spool ]; then
		config --check
	else
		config --check -p "$name"
	fi
done
stop_services "$(stop_time)"
begin_start
finish_start "${timeout:-$(($(largest start_limit 60) + 15))}"
