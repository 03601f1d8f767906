# shellcheck shell=bash disable=SC2034,SC2154
# exo.sh - a home made by hand and the real exo in it: no bridge, no broker, no runsv. Sourced by exo*.bats.

exo_setup()
{
	# shellcheck source=tests/lib/wait.sh
	. "$BATS_TEST_DIRNAME/../lib/wait.sh"
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BUILD=${SKYNET_BUILD:-build-test}
	case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
	EXO=$BUILD/libexec/skynet/exo
	LIB=$ROOT/tests/lib
	H=$BATS_TEST_TMPDIR/h
	S=$BATS_TEST_TMPDIR/state
	LOG=$BATS_TEST_TMPDIR/log
	PIDS=
	unset SKYNET_RESCAN_S SKYNET_FAIL SKYNET_FAIL_ONCE
	mkdir -p "$H" "$S"
	: >"$LOG"
	"$LIB/mkwi.py" home "$H" P1
	W=$H/spool/P1/work
	CONF=$H/sv/skynet-P1/config.exo
	ln -s "$LIB/exo_handler.py" "$H/sv/skynet-P1/code.py"
	echo "TEST_STATE=$S" >"$H/etc/skynet.env"
	export PYTHONDONTWRITEBYTECODE=1
}

exo_teardown()
{
	for pid in $PIDS; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	[ -z "${MOUNTED:-}" ] || umount -l "$MOUNTED"
	# What a test failed to end: workers die with their exo.
	for f in "$S"/daemon.*; do
		[ ! -e "$f" ] || kill -KILL "$(cat "$f")" 2>/dev/null || true
	done
	if [ -z "$BATS_TEST_COMPLETED" ]; then
		echo "--- log"
		tail -n 60 "$LOG"
		echo "--- status"
		cat "$H/run/P1/status" || true
		echo "--- spool"
		ls -R "$W" || true
	fi
}

# Starts exo in the background; $exo is its pid.
start_exo()
{
	"$EXO" --home "$H" P1 >>"$LOG" 2>&1 3>&- &
	exo=$!
	PIDS="$PIDS $exo"
}

# `! cmd` does not fail a test, this does.
not() { ! "$@"; }
status() { sed -n "s/^$1: //p" "$H/run/P1/status"; }
state_is() { [ "$(status state)" = "$1" ]; }
ready() { state_is ready && [ "$(status workers)" = "${1:-1}" ]; }
start_ready() { start_exo; wait_until 10 ready "${1:-1}"; }
put() { "$LIB/mkwi.py" put "$H" P1 "$@"; }
# noted NAME N: exo has noted that it is in attempt N (claim.3); in no other.
noted() { [ -L "$W/cur/$1,a$2" ] && [ "$(find "$W/cur" -name "$1,a*" | wc -l)" -eq 1 ]; }
unnoted() { [ -z "$(find "$W/cur" -name "$1,a*")" ]; }
# in_hand NAME: a worker holds the lock on it (claim.1).
in_hand() { [ -e "$H/spool/P1/open/$1" ] && ! flock --nonblock --shared "$H/spool/P1/open/$1" true; }
# ahead NAME: exo has given it to a worker, which has not begun it.
ahead() { "$LIB/ctl.py" "$H" P1 "status $1 wait=0" | jq -es --arg n "$1" '.[0].waiting | .ahead > 0 and .new == 0 and (.names | index($n) != null)' >/dev/null; }
has_result() { body "$1" >/dev/null; }
results() { [ "$("$LIB/answer.py" --names "$W/result" | wc -l)" -eq "$1" ]; } # each twice if it is there twice
result_once() { [ "$("$LIB/answer.py" --names "$W/result" | grep -cx "$1")" -eq 1 ]; }
header() { "$LIB/answer.py" --head "$W/result" "$1" | sed -n "s/^$2: //p"; }
body() { "$LIB/answer.py" "$W/result" "$1"; }
# How many records have that line in their header.
heads() { cat "$W"/result/*.results | grep -ac "^$1\$"; }
field() { body "$1" | /usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin); exec("print(d"+sys.argv[1]+")")' "$2"; }
logged() { grep -qE -- "$1" "$LOG"; }
journal() { grep -qE -- "$1" "$S/journal"; }
journal_has() { [ -e "$S/journal" ] && [ "$(wc -l <"$S/journal")" -ge "$1" ]; }
journal_count() { [ "$(grep -cE -- "$1" "$S/journal")" -eq "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }
worker_pid() { pgrep -P "$exo" -f exo-python | head -n 1; }
has_worker() { [ -n "$(worker_pid)" ]; }
new_worker() { has_worker && [ "$(worker_pid)" != "$1" ]; }
waiting() { [ "$(grep -c 'waiting for the lock' "$LOG")" -ge "$1" ]; }
# How often the threads of the processes went to sleep.
sleeps() { for p in "$@"; do cat "/proc/$p"/task/*/status; done | awk '/^voluntary/{n+=$2} END{print n}'; }
asleep() { [ "$(sleeps "$exo" "$wpid")" = "$(sleep 0.3; sleeps "$exo" "$wpid")" ]; } # for 0.3 s
# Sizes mean nothing under the sanitizers.
sanitized() { readelf -d "$EXO" | grep -q libasan; }
rss_kb() { awk '/^VmRSS/{print $2}' "/proc/$1/status"; }
# Ends exo and says with what code.
stop_exo() { kill -TERM "$exo"; code=0; wait "$exo" || code=$?; }

# The handler of the tests with more methods, from stdin.
handler_with()
{
	rm -f "$H/sv/skynet-P1/code.py"
	{
		printf 'import sys\nsys.path.insert(0, "%s")\nfrom exo_handler import *\nimport exo_handler\n' "$LIB"
		printf 'class ParticipantHandler(exo_handler.ParticipantHandler):\n'
		sed 's/^/    /'
	} >"$H/sv/skynet-P1/code.py"
}
