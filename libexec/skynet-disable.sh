#!/bin/sh
# Stops services and takes them out of the directory that runsvdir serves.
set -eu
verb=disable
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet disable [--timeout S] NAME…|--all

Stops services and has them supervised no more. Their workitems wait.

  -t, --timeout S  kill after S seconds (default: grace and 5)
      --all        every participant

Exit code: 0; 4 no such participant; 124 something is still alive.'
}

parse_names "$@"
stop_services "$(stop_time)"
for name in $names; do
	: >"$home_sv/skynet-$name/down"
	rm -f "$home_service/skynet-$name"
	end_runsv "$name"
done
