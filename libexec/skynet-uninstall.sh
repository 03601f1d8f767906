#!/bin/sh
# Removes participants: stops them, removes the service; with --purge spool and log as well.
set -eu
verb=uninstall
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/service.sh"

usage()
{
	echo 'usage: skynet uninstall [--purge [--force]] [--timeout S] NAME…|--all

Stops participants and removes their services. Spool and log stay, for (skynet install) to find again.

      --purge      remove spool and log too; refused while workitems are open
      --force      purge open workitems as well: they are lost, their processes wait for ever
  -t, --timeout S  kill after S seconds (default: grace and 5)
      --all        every participant

Exit code: 0; 1 open workitems; 4 no such participant; 124 something is still alive.'
}

purge=no force=no
for arg in "$@"; do
	shift
	case $arg in
	--purge) purge=yes ;;
	--force) force=yes ;;
	*) set -- "$@" "$arg" ;;
	esac
done
parse_names "$@"

is_open()
{
	[ -d "$home_spool/$1/open" ] && [ -n "$(ls -A "$home_spool/$1/open")" ]
}

for name in $names; do
	[ "$name" != amqp-spool ] || die 64 'amqp-spool is no participant (skynet disable amqp-spool)'
	if [ "$purge" = yes ] && [ "$force" = no ] && is_open "$name"; then
		die 1 "$name: workitems are open in $home_spool/$name/open (--force loses them)"
	fi
done
stop_services "$(stop_time)"

for name in $names; do
	if cut -f 2 "$home_lib/registered" 2>/dev/null | grep -qxF -e "$name"; then
		say "$name is still registered: the engine sends its work to a queue that nobody empties (skynet unregister $name)"
	fi
	rm -f "$home_service/skynet-$name" "$home_sv/skynet-$name/config.exo"
done
tell_bridge
for name in $names; do
	end_runsv "$name"
	rm -rf "${home_sv:?}/skynet-$name" "${home_run:?}/$name"
	# a workitem may have come while we stopped: only now does nothing come any more
	if [ "$purge" = yes ] && [ "$force" = no ] && is_open "$name"; then
		die 1 "$name: a workitem came meanwhile, $home_spool/$name is kept"
	fi
	if [ "$purge" = no ] && is_open "$name"; then
		say "$name: workitems are left in $home_spool/$name/open: nobody works on them before it is installed again"
	fi
	[ "$purge" = no ] || rm -rf "${home_spool:?}/$name" "${home_log:?}/$name"
done
