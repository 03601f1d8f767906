#!/bin/sh
# The root of a local home's processes: runs runsvdir on DIR/service and stops everything in order on INT, TERM, HUP.
# runsvdir alone would not: on HUP it ends before its services have, on TERM it leaves every runsv alive.
set -eu
verb=local
lib=$(dirname "$(readlink -f "$0")")
. "$lib/common.sh"
. "$lib/service.sh"
. "$lib/shutdown.sh"

exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-
load_home
timeout=${1:-}
mkdir -p "$home_run" "$home_service"
exec 9>>"$home_run/runsvdir.lock"
flock -w 2 9 || exit 75 # up looks at the lock, for moments
stop=no
trap 'stop=yes' INT TERM HUP
# A session of its own: Ctrl-C is for us alone. When we are killed the kernel tells runsvdir. What a shell starts with &
# ignores INT and QUIT, and all services would inherit that.
setsid env --default-signal=HUP,INT,QUIT,TERM setpriv --pdeathsig HUP runsvdir -P "$home_service" 9>&- &
runsvdir=$!
echo "$$" >"$home_run/runsvdir.pid"
while [ "$stop" = no ] && kill -0 "$runsvdir" 2>/dev/null; do
	wait "$runsvdir" || :
done
[ "$stop" = yes ] || echo "runsvdir ended by itself"
trap '' INT TERM HUP
code=0
shut_down "$runsvdir" || code=$?
rm -f "$home_run/runsvdir.pid"
exit "$code"
