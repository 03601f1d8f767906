#!/usr/bin/env bats
# exo: its control socket (docs/CONTROL.md), against real workers.
# shellcheck disable=SC1091,SC2030,SC2031,SC2119,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
}

teardown() { exo_teardown; }

# Asks exo; the answers are in $BATS_TEST_TMPDIR/answer, the code of the end line is what it returns.
ask() { "$LIB/ctl.py" "$H" P1 "$1" >"$BATS_TEST_TMPDIR/answer"; }
code_of() { code=0; ask "$1" || code=$?; }
# The same as another user, who need not be able to read this tree: ask_as SETPRIV-OPTION…
ask_as()
{
	code=0
	setpriv "$@" /usr/bin/python3 - "$H" P1 status <"$LIB/ctl.py" >"$BATS_TEST_TMPDIR/answer" || code=$?
}
# The expression `a` is a list of the answers.
answer() { /usr/bin/python3 -c 'import json,sys; a=[json.loads(l) for l in open(sys.argv[1])]; print(eval(sys.argv[2]))' "$BATS_TEST_TMPDIR/answer" "$1"; }
answers() { [ "$(answer "$1")" = "$2" ]; }

# --- who may ask, and how ---

@test "status of an idle exo" {
	start_ready
	ask status
	answers '[x["type"] for x in a]' "['status', 'end']"
	answers '[a[0][k] for k in ("participant", "state", "pid")]' "['P1', 'ready', $exo]"
	answers '[(w["id"], w["pid"], w["state"]) for w in a[0]["workers"]]' "[('0-1', $(worker_pid), 'idle')]"
	answers 'a[0]["waiting"]' "{'new': 0, 'ahead': 0}"
	[ "$(stat -c %a "$H/run/P1/control")" = 666 ]
}

@test "status of what runs and of what waits, by name, by wfid, and of neither" {
	start_ready
	n=$(put n=1 do=say_and_wait text=hello wait=go wfid=20261122-1052-one)
	m=$(put n=2 wfid=20261122-1052-two)
	wait_until 10 journal '^begin 1 '
	wait_until 10 logged hello
	for key in '' " $n" " 20261122-1052-one"; do
		ask "status$key wait=0"
		answers '[w["state"] for w in a[0]["workers"]]' "['busy']"
		answers '[a[0]["workers"][0]["workitem"][k] for k in ("name", "wfid", "expid", "attempt")]' \
			"['$n', '20261122-1052-one', '0_0_0', 1]"
		answers 'a[0]["workers"][0]["last_line"]' hello
	done
	ask "status $m wait=0"
	answers 'a[0]["workers"], a[0]["waiting"]["names"]' "([], ['$m'])"
	code_of 'status 20261122-1052-three'
	[ "$code" -eq 4 ]
	: >"$S/go"
	wait_until 10 has_result "$m"
}

@test "a request that is none" {
	start_ready
	for bad in '' frobnicate 'status a b' 'status wait=x' 'status wait=60001' 'status quiet=yes' "status $(printf %0300d 0)"; do
		code_of "$bad"
		[ "$code" -eq 64 ]
		answers 'a[0]["type"], a[0]["code"]' "('error', 64)"
	done
	code=0
	"$LIB/ctl.py" "$H" P1 --raw "$(printf '%05000d' 0)" >"$BATS_TEST_TMPDIR/answer" || code=$?
	[ "$code" -eq 64 ]
	ask status
}

@test "who says nothing is sent away, the 33rd too, and exo goes on" {
	start_ready
	/usr/bin/python3 - "$H" <<-'PY'
		import json, os, socket, sys
		os.chdir(sys.argv[1] + "/run/P1")
		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect("control")
		    return s
		def lines(s):
		    return [json.loads(l) for l in s.makefile()]
		many = [connect() for _ in range(32)]
		assert lines(connect())[0]["code"] == 75
		assert lines(many[0])[0]["code"] == 124
		for s in many:
		    s.close()
		s = connect()
		s.sendall(b"sta")
		s.sendall(b"tus wait=0\nmore that nobody wants\n")
		s.shutdown(socket.SHUT_WR)
		assert [x["type"] for x in lines(s)] == ["status", "end"]
	PY
}

@test "another user is not served, exo's own and root are" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	start_ready
	ask status
	ask_as --reuid 65534 --regid 65534 --clear-groups
	[ "$code" -eq 77 ]
	answers 'a' "[{'type': 'error', 'code': 77, 'error': 'not permitted'}, {'type': 'end', 'code': 77}]"
}

@test "the readers of the ledger are served, by group" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	chgrp 4 "$H/spool/P1/open"
	start_ready
	ask_as --reuid 65534 --regid 4 --clear-groups
	[ "$code" -eq 0 ]
	ask_as --reuid 65534 --regid 65534 --groups 100,4
	[ "$code" -eq 0 ]
	ask_as --reuid 65534 --regid 65534 --groups 100
	[ "$code" -eq 77 ]
}

@test "a home with a long path; the socket of a killed exo is replaced, that of a stopped one is gone" {
	start_ready
	kill -KILL "$exo"
	wait "$exo" || true
	[ -S "$H/run/P1/control" ]
	start_ready
	ask status
	stop_exo
	[ ! -e "$H/run/P1/control" ]
	long=$H/$(printf '%0100d/%0100d' 0 0)
	mkdir -p "$long"
	mv "$H/etc" "$H/sv" "$H/run" "$H/spool" "$H/log" "$H/lib" "$long"
	H=$long
	W=$H/spool/P1/work
	start_ready
	ask status
}
