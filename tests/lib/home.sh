# shellcheck shell=bash disable=SC1091,SC2034,SC2119,SC2120,SC2154
# home.sh - a home of its own with the real bridge, exo and workers in it, for end-to-end tests. Sourced by bats.
#
#   home_setup                        paths and programs of the build under test; sources wait.sh and broker.sh
#   home_broker                       the broker that the file started in $BATS_FILE_TMPDIR/broker; sets BROKER and T
#   home_make DIR [HOSTS|none]        a home against the broker of broker_env (or HOSTS), or brokerless; sets H
#   home_use DIR                      another home that was made before
#   home_set [SECTION] LINE…          more configuration, '[skynet]' and the like as they stand in the file
#   participant NAME [CODE]           installs a participant; CODE is the text of code.py (none: the handler below).
#                                     Its queue is NAME.$TAG, the engine's engine.$TAG
#   participant_set NAME LINE…        its own configuration, which wins over all other
#   bridge_start [STATE]              starts the bridge and waits for that state (default connected)
#   bridge_spawn [PREFIX…]            starts it and does not wait; PREFIX: strace and its like
#   exo_start NAME                    starts a participant and waits until it is ready
#   keep_bridge, keep_exo NAME        the same under a loop that starts them again at once, as runsv would
#   bridge_stop, exo_stop NAME        TERM, and waits; home_stop: all, exo first
#   bridge_pid, exo_pid NAME, worker_pid NAME     who it is now
#   done_count NAME, failed_count NAME, open_count NAME; idle NAME: nothing is open
#   send NAME [JSON] [WFID]           publishes one workitem with these fields, as the engine does
#   send_many NAME COUNT [JSON]       fields.n and the wfid count up from 1; fields.pad, a number, becomes so many bytes
#   send_persistent NAME COUNT [JSON] the same, persistent
#   send_files NAME FILE…             bodies
#   take COUNT [TIMEOUT]              takes that many replies: $REPLIES/N (bodies) and $REPLIES.props (one JSON a line)
#   no_more                           the engine's queue is empty
#   result_body FILE, result_head FILE     of the answer to done/…/NAME.json, from the journals beside it
#   answer_count NAME                 so many workitems have an answer in done/
#   answers_waiting NAME              so many open workitems have one in work/result
#   spool_verify NAME COUNT           COUNT workitems in done/, each with a result, each byte what its name's digest says
#   once COUNT                        the replies taken are those of send_many's COUNT workitems, each exactly once
#   home_cleanup                      for teardown: ends every process of all homes, by pid; shows logs if a test failed
#                                     Before: CONT to the pid in STOPPED, and if BLOCKED is not empty, broker_block off
#
# The default handler does what fields say: began (touches that file), wait (until that file is there), seconds, raise, show.

home_setup()
{
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# shellcheck source=tests/lib/broker.sh
	. "$ROOT/tests/lib/broker.sh"
	case ${SKYNET_BUILD:=build-test} in
	/*) LIBEXEC=$SKYNET_BUILD/libexec/skynet ;;
	*) LIBEXEC=$ROOT/$SKYNET_BUILD/libexec/skynet ;;
	esac
	export SKYNET_LIBEXEC=$LIBEXEC PYTHONDONTWRITEBYTECODE=1
	unset SKYNET_TEMPLATES SKYNET_HOME SKYNET_FAIL SKYNET_FAIL_ONCE SKYNET_CLOCK_OFFSET_S SKYNET_RECONCILE_S
	case $PATH in
	"$LIBEXEC":*) ;;
	*) PATH=$LIBEXEC:$PATH ;;
	esac
	TAG=${BATS_TEST_NUMBER:-file}
	ENGINE=engine.$TAG
	HOMES=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/homes
	HOME_PIDS=$HOMES/pids
	REPLIES=$HOMES/replies
	mkdir -p "$HOMES"
	: >>"$HOME_PIDS"
}

home_broker()
{
	BROKER=$BATS_FILE_TMPDIR/broker
	broker_env "$BROKER"
	broker_running "$BROKER" || broker_restart "$BROKER" # a test that failed left it down
	T=$BATS_TEST_TMPDIR
}

home_use()
{
	H=$1
	export SKYNET_HOME=$H
}

home_make()
{
	"$ROOT/bin/skynet" local init "$1" 3>&- >/dev/null || return
	home_use "$1"
	home_set '[boss]' "amqp_host = ${2:-$BROKER_HOST:$BROKER_PORT}" "amqp_vhost = $BROKER_VHOST" \
		"amqp_user = $BROKER_USER" "amqp_pwd = $BROKER_PASS" "engine_queue = $ENGINE"
	[ "${2:-}" != none ] || home_set '[boss]' 'amqp_host = none'
}

home_set()
{
	mkdir -p "$H/etc/conf.d"
	printf '%s\n' "$@" >>"$H/etc/conf.d/test.conf"
	chmod 600 "$H/etc/conf.d/test.conf" # it holds the password
}

participant_set()
{
	local name=$1
	shift
	{
		echo '[participant]'
		printf '%s\n' "$@"
	} >>"$H/etc/$name.conf"
}

HOME_HANDLER='import os, time
class ParticipantHandler:
    def handle_lifecycle_control(self, ctrl):
        self.config = ctrl.config
    def handle_wi_control(self, ctrl):
        pass
    def handle_wi(self, wid):
        f = wid.fields
        if f.began:
            open(f.began, "a").close()
        while f.wait and not os.path.exists(f.wait):
            time.sleep(0.01)
        if f.seconds:
            time.sleep(f.seconds)
        if f.show:
            f.env = dict(os.environ)
            f.config = {s: dict(self.config.items(s, raw=True)) for s in self.config.sections()}
        if "raise" in f:
            f.changed = True
            raise ValueError(f["raise"])
        wid.result = True
'

participant()
{
	local sv=$H/sv/skynet-$1
	mkdir -p "$sv" "$H/run/$1"
	printf '%s\n' "${2:-$HOME_HANDLER}" >"$sv/code.py"
	printf '[participant]\nqueue = %s\n' "$1.$TAG" >"$sv/config.exo"
	skynet-mkspool "$1"
	S=$H/spool/$1
	W=$S/work
}

# ---- processes ---------------------------------------------------------------------------------

status_of() { sed -n "s/^$2: //p" "$H/run/$1/status" 2>/dev/null || :; }
bridge_pid() { status_of amqp-spool pid; }
exo_pid() { status_of "$1" pid; }
# Beside exo a worker may be a python that a handler started: the first child is the oldest.
worker_pid() { pgrep -P "$(exo_pid "$1")" -f -o "exo-python --home $H $1"; }
alive() { [ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
gone() { ! alive "$1"; }
# `! cmd` does not fail a test, this does.
not() { ! "$@"; }
state_is() { [ "$(status_of "$1" state)" = "$2" ]; }
bridge_shows() { grep -qx -- "$1" "$H/run/amqp-spool/status"; }
logged() { grep -qE -- "$1" "$H/log/bridge.txt"; }
exo_logged() { grep -qE -- "$2" "$H/log/exo-$1.txt"; }

bridge_spawn()
{
	"$@" "$LIBEXEC/amqp-spool" --home "$H" >>"$H/log/bridge.txt" 2>&1 </dev/null 3>&- &
	bridge=$!
	echo "$bridge" >>"$HOME_PIDS"
}

# The state file is that of the bridge that runs, the state the wanted one, and every participant is served.
_bridge_is()
{
	local pid
	pid=$(bridge_pid)
	[ -n "$pid" ] && [ "$pid" != "$2" ] && alive "$pid" && state_is amqp-spool "$1" || return 1
	[ "$1" != connected ] || ! grep -q '^participant.*: declaring' "$H/run/amqp-spool/status"
}

bridge_start()
{
	local before
	before=$(bridge_pid)
	bridge_spawn
	wait_until 20 _bridge_is "${1:-connected}" "${before:-0}" || {
		tail -n 5 "$H/log/bridge.txt" >&2
		return 1
	}
}

exo_spawn()
{
	"$LIBEXEC/exo" --home "$H" "$1" >>"$H/log/exo-$1.txt" 2>&1 </dev/null 3>&- &
	echo $! >>"$HOME_PIDS"
}

_exo_is_new() { [ "$(exo_pid "$1")" != "$2" ] && state_is "$1" ready; }

exo_start()
{
	local before
	before=$(exo_pid "$1")
	exo_spawn "$1"
	wait_until 20 _exo_is_new "$1" "${before:-0}" || {
		tail -n 5 "$H/log/exo-$1.txt" >&2
		return 1
	}
}

# _keep LOG STOPFILE PROGRAM…: a loop of its own; its children are found by their command line at the end.
_keep()
{
	local log=$1 stop=$2
	shift 2
	rm -f "$stop"
	(
		while [ ! -e "$stop" ]; do
			"$@" || :
			[ -e "$stop" ] || sleep 0.1
		done
	) >>"$log" 2>&1 </dev/null 3>&- &
	echo $! >>"$HOME_PIDS"
}

keep_bridge() { _keep "$H/log/bridge.txt" "$H/stop.bridge" "$LIBEXEC/amqp-spool" --home "$H"; }
keep_exo() { _keep "$H/log/exo-$1.txt" "$H/stop.$1" "$LIBEXEC/exo" --home "$H" "$1"; }

_end()
{
	if [ -n "$1" ] && alive "$1"; then
		kill -TERM "$1" 2>/dev/null || :
		wait_until 40 gone "$1"
	fi
}

bridge_stop()
{
	touch "$H/stop.bridge"
	_end "$(bridge_pid)"
}

exo_stop()
{
	touch "$H/stop.$1"
	_end "$(exo_pid "$1")"
}

home_stop()
{
	local dir
	for dir in "$H"/sv/skynet-*/config.exo; do
		dir=${dir%/config.exo}
		exo_stop "${dir##*/skynet-}"
	done
	bridge_stop
}

# Processes whose command line names one of our homes, one pid a line.
_home_processes() { pgrep -f -- "--home $HOMES/" || :; }

_none_left()
{
	local pid
	for pid in $(_home_processes); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	[ -z "$(_home_processes)" ]
}

home_cleanup()
{
	local pid log
	[ -z "${STOPPED:-}" ] || kill -CONT "$STOPPED" 2>/dev/null || :
	[ -z "${BLOCKED:-}" ] || broker_block "$BROKER" off || :
	# The loops first, or they start again what is ended after them. A number that is no child of ours is somebody else's now.
	while read -r pid; do
		if [ "$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)" = "$BASHPID" ]; then
			kill -KILL "$pid" 2>/dev/null || :
			wait "$pid" 2>/dev/null || :
		fi
	done <"$HOME_PIDS"
	: >"$HOME_PIDS"
	wait_until 10 _none_left || :
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		for log in "$HOMES"/*/log/*.txt "$HOMES"/*/run/amqp-spool/status; do
			[ ! -s "$log" ] || { echo "--- $log" && tail -n 25 "$log"; }
		done
		find "$HOMES"/*/spool -path '*/done/*' -prune -o -type f -print 2>/dev/null | head -n 40 || :
	fi
}

# ---- the spool ---------------------------------------------------------------------------------

done_count() { find "$H/spool/$1/done" -name '*.json' | wc -l; }
failed_count() { find "$H/spool/$1/failed" -name '*.json' | wc -l; }
open_count() { find "$H/spool/$1/open" -type f | wc -l; }
idle() { [ "$(open_count "$1")" -eq 0 ]; }
has_done() { [ "$(done_count "$1")" -eq "$2" ]; }
has_failed() { [ "$(failed_count "$1")" -eq "$2" ]; }
has_open() { [ "$(open_count "$1")" -eq "$2" ]; }
done_files() { find "$H/spool/$1/done" -name "${2:-*.json}" | sort; }
failed_files() { find "$H/spool/$1/failed" -name "${2:-*.json}" | sort; }

# The body of the answer to a workitem, given done/…/NAME.json; result_head: its header.
result_body() { "$BROKER_LIB/answer.py" "$(dirname "$1")" "$(basename "$1" .json)"; }
result_head() { "$BROKER_LIB/answer.py" --head "$(dirname "$1")" "$(basename "$1" .json)"; }

# How many workitems have an answer in the journals of done/.
answer_count() { "$BROKER_LIB/answer.py" --names "$H/spool/$1/done" | sort -u | wc -l; }
answers_waiting() { comm -12 <("$BROKER_LIB/answer.py" --names "$H/spool/$1/work/result" | sort -u) <(ls "$H/spool/$1/open") | wc -l; }

spool_verify()
{
	"$BROKER_PYTHON" - "$H/spool/$1/done" "$2" "$BROKER_LIB" <<-'PY'
		import hashlib, pathlib, sys
		sys.path.insert(0, sys.argv[3])
		import answer
		files = list(pathlib.Path(sys.argv[1]).glob("*/*/*.json"))
		bad = [f for f in files if hashlib.sha256(f.read_bytes()).hexdigest()[:16] != f.name[28:44]]
		kept = {d: set(answer.names(d)) for d in {f.parent for f in files}}
		alone = [f for f in files if f.stem not in kept[f.parent]]
		print(f"{len(files)} in done/, {len(bad)} damaged, {len(alone)} without result", *bad[:3], *alone[:3])
		sys.exit(len(files) != int(sys.argv[2]) or bool(bad or alone))
	PY
}

# ---- the engine --------------------------------------------------------------------------------

amqp() { "$BROKER_LIB/amqp.py" "$@"; }

_publish()
{
	"$BROKER_PYTHON" - "$@" <<-'PY'
		import json, os, pathlib, sys
		import pika
		e = os.environ
		queue, mode, *args = sys.argv[1:]
		if mode == "files":
		    bodies = (pathlib.Path(f).read_bytes() for f in args)
		else:
		    count, fields, wfid, persistent = int(args[0]), json.loads(args[1] or "{}"), args[2], args[3]
		    if isinstance(fields.get("pad"), int):
		        fields["pad"] = "x" * fields["pad"]
		    def body(n):
		        w = {"fields": {"params": {"ref": "p"}, **fields, "n": n}, "wf_name": "t",
		             "fei": {"engine_id": "engine", "wfid": wfid or f"20261122-{n:06d}", "subid": "0" * 32, "expid": "0_0"},
		             "participant_name": queue, "re_dispatch_count": 0}
		        return json.dumps(w, separators=(",", ":"), ensure_ascii=False).encode()
		    bodies = (body(n + 1) for n in range(count))
		mode = 2 if mode == "persistent" or (len(args) > 3 and args[3]) else 1
		c = pika.BlockingConnection(pika.ConnectionParameters(
		    e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
		    pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
		ch = c.channel()
		ch.queue_declare(queue, durable=True)
		props = pika.BasicProperties(content_type="application/octet-stream", delivery_mode=mode, priority=0,
		                             correlation_id="")
		for b in bodies:
		    ch.basic_publish("", queue, b, props)
		ch.queue_declare(queue, passive=True)  # an answer: the broker has them all
		c.close()
	PY
}

send_many() { _publish "$1.$TAG" workitems "$2" "${3:-}" '' ''; }
send_persistent() { _publish "$1.$TAG" workitems "$2" "${3:-}" '' yes; }
send() { _publish "$1.$TAG" workitems 1 "${2:-}" "${3:-}" ''; }
send_files()
{
	local name=$1
	shift
	_publish "$name.$TAG" files "$@"
}

engine_queue() { amqp declare "$ENGINE"; }

take()
{
	rm -rf "$REPLIES" "$REPLIES.props"
	mkdir -p "$REPLIES"
	amqp get "$ENGINE" --count "$1" --timeout "${2:-20}" --props --raw "$REPLIES/r" >"$REPLIES.props" || return
	[ "$1" -ne 1 ] || mv "$REPLIES/r" "$REPLIES/r.1"
}

reply() { "$BROKER_PYTHON" -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$REPLIES/r.${2:-1}" "$1"; }
engine_holds() { [ "$(amqp length "$ENGINE")" -eq "$1" ]; }
no_more() { engine_holds 0; }
unacked() { broker_queue_length "$BROKER" "$1.$TAG" messages_unacknowledged; }
unacked_is() { [ "$(unacked "$1")" -eq "$2" ]; }

once()
{
	"$BROKER_PYTHON" - "$REPLIES" "$1" <<-'PY'
		import collections, json, pathlib, sys
		replies = [json.loads(f.read_bytes()) for f in pathlib.Path(sys.argv[1]).iterdir()]
		seen = collections.Counter(r["fields"]["n"] for r in replies)
		wrong = {n: seen[n] for n in range(1, int(sys.argv[2]) + 1) if seen[n] != 1}
		errors = [r.get("error") for r in replies if r.get("error")]
		print(f"{len(replies)} replies; not exactly once: {wrong}; errors: {errors[:2]}")
		sys.exit(bool(wrong or errors) or len(replies) != int(sys.argv[2]))
	PY
}
