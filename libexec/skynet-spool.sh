#!/bin/sh
# skynet spool: the spool by hand. Dispatches to the spool tools.
set -eu

usage() {
	cat <<'TEXT'
usage: skynet spool COMMAND …

The spool by hand; the daemons may run or not.

  put      hand in workitems from files
  ls       list workitems
  show     where a workitem is, its bytes, its result
  hold     keep a waiting workitem from being worked on
  release  let it go
  retry    hand failed workitems in again
  check    look for what is wrong, and repair it

skynet spool COMMAND --help tells more.
TEXT
}

case ${1-} in
put | ls | show | hold | release | retry | check)
	command=$1
	shift
	exec "${SKYNET_LIBEXEC:-$(dirname "$0")}/spool-$command" "$@"
	;;
-h | --help | help)
	usage
	;;
'')
	usage >&2
	exit 64
	;;
*)
	echo "skynet spool: no command $1" >&2
	echo "Try: skynet spool --help" >&2
	exit 64
	;;
esac
