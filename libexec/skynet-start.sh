#!/bin/sh
# Starts services and waits until their handlers are ready.
set -eu
verb=start
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet start [--timeout S] NAME…|--all

Starts services, now and at every boot, and waits until their handlers are ready. Enables them where
they are not. NAME may be amqp-spool.

  -t, --timeout S  wait at most S seconds (default: start_limit and 15)
      --all        every participant

Exit code: 0 all are ready; 1 one is not, the reason and the end of its log are shown;
4 no such participant; 69 nothing supervises services here; 124 timeout.'
}

parse_names "$@"
begin_start
finish_start "${timeout:-$(($(largest start_limit 60) + 15))}"
