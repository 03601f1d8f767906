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
interrupts no workitem.

  -t, --timeout S  for stopping, and again for starting
      --all        every participant

Exit codes: those of (skynet start).'
}

parse_names "$@"
stop_services "$(stop_time)"
begin_start
finish_start "${timeout:-$(($(largest start_limit 60) + 15))}"
