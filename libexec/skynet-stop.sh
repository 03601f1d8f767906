#!/bin/sh
# Stops services: TERM, the grace period, then KILL.
set -eu
verb=stop
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet stop [--timeout S] NAME…|--all

Stops services until (skynet start) or the next boot. Workitems that are being worked on get the
grace period to end; what is unfinished is resumed at the next start. NAME may be amqp-spool.

  -t, --timeout S  kill after S seconds (default: grace and 5)
      --all        every participant

Exit code: 0 they are down; 4 no such participant; 124 something is still alive.'
}

parse_names "$@"
stop_services "$(stop_time)"
