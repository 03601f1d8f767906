#!/bin/sh
# make demo: a throw-away mini-SkyNET without a broker, a real workitem through real processes.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
home=$(mktemp -d "${TMPDIR:-/tmp}/skynet-demo.XXXXXX")
skynet="$top/bin/skynet --home $home"

cleanup() {
	status=$?
	$skynet local down >/dev/null 2>&1 || :
	rm -rf "$home"
	[ "$status" = 0 ] || printf '\nthe demo failed (exit %s)\n' "$status" >&2
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

say() {
	printf '\n\033[1m# %s\033[0m\n' "$1"
}
{ [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; } || say() { printf '\n# %s\n' "$1"; }

run() {
	printf '$ %s\n' "$*" | sed "s|$home|HOME|g; s|$top/||g"
	"$@"
}

say 'A mini-SkyNET in a directory: configuration, spool, logs, a runsvdir. No broker, no root.'
# shellcheck disable=SC2086
run $skynet local init "$home" >/dev/null
# shellcheck disable=SC2086
run $skynet local up

say 'Two participants: a class with handle_wi each.'
sed -n '/^class/,$p' "$top/examples/minimal/minimal.py"
# shellcheck disable=SC2086
run $skynet install "$top/examples/minimal/minimal.py"
# shellcheck disable=SC2086
run $skynet install -n stumbler "$top/examples/failing/failing.py"
# shellcheck disable=SC2086
run $skynet start --all
# shellcheck disable=SC2086
run $skynet status

say 'A real workitem, as BOSS sends it; the reply comes back.'
# shellcheck disable=SC2086
run $skynet put minimal --wait "$top/tests/data/workitems/simple.json"

say 'A workitem whose handler fails: the engine gets an error reply.'
# shellcheck disable=SC2086
run $skynet put stumbler --wait "$top/examples/failing/raise.json" || :

say 'A participant may be any executable: the workitem on stdin, the exit code the result.'
sed -n '2,$p' "$top/examples/shell/room.sh"
# shellcheck disable=SC2086
run $skynet install "$top/examples/shell/room.sh"
# shellcheck disable=SC2086
run $skynet start room
# shellcheck disable=SC2086
run $skynet put room --wait "$top/tests/data/workitems/simple.json"

say 'Long work can be asked and told: what exo knows, what the handler says, and the end of it.'
# shellcheck disable=SC2086
run $skynet install "$top/examples/patient/patient.py"
# shellcheck disable=SC2086
run $skynet start patient
# shellcheck disable=SC2086
run $skynet put patient "$top/tests/data/workitems/simple.json"
until $skynet query patient | grep -q '"step"'; do sleep 0.1; done # it may not have begun yet
# shellcheck disable=SC2086
run $skynet query patient
wfid=$(sed -n 's/.*"wfid":"\([^"]*\)".*/\1/p' "$top/tests/data/workitems/simple.json")
# shellcheck disable=SC2086
run $skynet cancel "$wfid"

say 'The spool is files. open/ is what is unfinished; done/ keeps every workitem and its reply.'
(cd "$home" && find spool/minimal -mindepth 1 | sort)
item=$(basename "$(find "$home/spool/minimal/done" -name '*.json' | head -n 1)" .json)

say 'The replies of a minute lie together, in TIME-PID.results. One of them:'
# shellcheck disable=SC2086
run $skynet show "$item"

say 'The log of a participant; each line belongs to a workitem.'
# shellcheck disable=SC2086
run $skynet log -n 5 stumbler

say 'Replay that workitem in the foreground: nothing is sent, nothing changes.'
# shellcheck disable=SC2086
run $skynet replay "$item"

say 'An orderly end.'
# shellcheck disable=SC2086
run $skynet local down
