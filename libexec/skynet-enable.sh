#!/bin/sh
# Links services into the directory that runsvdir serves.
set -eu
verb=enable
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet enable [--now [--timeout S]] NAME…|--all

Has services supervised. One that was never started, or was disabled, stays down until (skynet start);
any other comes up.

      --now        start them as well (skynet start)
  -t, --timeout S  with --now: wait at most S seconds (default: start_limit and 15)
      --all        every participant

Exit code: 0; 4 no such participant; with --now those of (skynet start).'
}

now=no
for arg in "$@"; do
	shift
	if [ "$arg" = --now ]; then now=yes; else set -- "$@" "$arg"; fi
done
parse_names "$@"
for name in $names; do
	enable_service "$name"
done
if [ "$now" = yes ]; then
	begin_start
	finish_start "${timeout:-$(($(largest start_limit 60) + 15))}"
fi
