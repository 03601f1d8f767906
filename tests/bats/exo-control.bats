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
	chgrp 4 "$H/spool/P1/done"
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

# --- status, with the handler's answer ---

begun() { wait_until 20 journal "^begin $1 "; }

@test "the handler's own status: of the very workitem that it works on" {
	handler_with <<-'PY'
		def handle_wi(self, wid):
		    self.wid = wid
		    super().handle_wi(wid)
		def status(self, wid):
		    return {"very": wid is self.wid, "n": wid.fields.n, "text": "ä\n\ud800"}
	PY
	start_ready 
	n=$(put n=7 do=wait wait=go)
	begun 7
	ask 'status wait=10000'
	answers '[x["type"] for x in a]' "['status', 'answer', 'end']"
	answers '[a[1][k] for k in ("worker", "name", "wfid")]' "['0-1', '$n', '20261122-1028-renejayu-pobapeze']"
	answers 'a[1]["answer"] == {"very": True, "n": 7, "text": "ä\n\ud800"}' True
	ask 'status wait=0'
	answers '[x["type"] for x in a]' "['status', 'end']"
	: >"$S/go"
	wait_until 10 has_result "$n"
	ask 'status wait=10000'
	answers '[x["type"] for x in a]' "['status', 'end']"
}

@test "two workers: each answers for its own; by wfid only the one that is meant" {
	echo 'instances = 2' >>"$CONF"
	handler_with <<-'PY'
		def status(self, wid):
		    return wid.fields.n
	PY
	start_ready 2
	put n=1 do=wait wait=go wfid=w-one >/dev/null
	put n=2 do=wait wait=go wfid=w-two >/dev/null
	begun 1
	begun 2
	ask 'status wait=10000'
	answers 'sorted((x["wfid"], x["answer"]) for x in a if x["type"] == "answer")' "[('w-one', 1), ('w-two', 2)]"
	ask 'status w-two wait=10000'
	answers '[(x["wfid"], x["answer"]) for x in a if x["type"] == "answer"]' "[('w-two', 2)]"
	: >"$S/go"
}

@test "a handler without status(), one that raises, one that returns what is no JSON or too much" {
	handler_with <<-'PY'
		def handle_wi(self, wid):
		    if wid.fields.status:
		        self.status = lambda w: eval(wid.fields.status)
		    super().handle_wi(wid)
	PY
	start_ready
	i=0
	while read -r code want; do
		i=$((i + 1))
		n=$(put n=$i do=wait wait=go$i status="$code")
		begun $i
		ask 'status wait=10000'
		answers 'a[1]' "$(printf "{'type': 'answer', 'worker': '0-1', 'name': '%s', 'wfid': '20261122-1028-renejayu-pobapeze', %s}" "$n" "$want")"
		: >"$S/go$i"
		wait_until 10 has_result "$n"
	done <<-'EOF'
		0 'absent': 'no status() in the handler'
		[][1] 'error': 'IndexError: list index out of range'
		sys.exit(3) 'error': 'SystemExit: 3'
		{1} 'error': 'TypeError: Object of type set is not JSON serializable'
		"x"*70000 'error': 'the answer has 70013 bytes, which is too long'
		None 'answer': None
	EOF
	[ "$(status restarts)" = 0 ]
}

@test "status within 100 ms while the handler holds the interpreter in a C call, or its status() hangs" {
	handler_with <<-'PY'
		def do_hold(self, f):
		    import ctypes
		    held, go = (os.path.join(STATE, leaf) for leaf in ("held", f.wait))
		    # One C call, with the interpreter; who runs in it says that it has begun.
		    ctypes.PyDLL(None).system(f"touch {held}; until [ -e {go} ]; do sleep 0.05; done".encode())
		def status(self, wid):
		    if wid.fields.do == "wait":
		        wait_for("status")
		        return "at last"
	PY
	start_ready
	for do in hold wait; do
		n=$(put n=$do do=$do wait=go.$do)
		begun $do
		[ "$do" != hold ] || wait_until 20 [ -e "$S/held" ]
		/usr/bin/python3 - "$H" <<-'PY'
			import json, os, socket, sys, time
			os.chdir(sys.argv[1] + "/run/P1")
			first, absent = [], []
			for i in range(20): # more than the worker keeps
			    s = socket.socket(socket.AF_UNIX)
			    s.settimeout(20)
			    began = time.monotonic()
			    s.connect("control")
			    s.sendall(b"status wait=30\n" if i < 19 else b"status wait=60000\n")
			    f = s.makefile()
			    status = json.loads(f.readline())
			    first.append(time.monotonic() - began)
			    assert status["workers"][0]["state"] == "busy", status
			    absent.append(json.loads(f.readline())["absent"])
			    assert json.loads(f.readline()) == {"type": "end", "code": 0}
			assert sorted(first)[10] < 0.1, first
			assert absent[0] == "no answer within 30 ms", absent
			assert absent[19].startswith("still busy with an earlier status(), since 20"), absent # at once
		PY
		: >"$S/go.$do"
		wait_until 10 has_result "$n"
	done
	: >"$S/status"
	n=$(put n=3 do=wait wait=go)
	begun 3
	answered() { ask 'status wait=5000' && answers 'a[1].get("answer")' 'at last'; }
	wait_until 10 answered
	: >"$S/go"
	wait_until 10 has_result "$n"
	stop_exo
	[ "$code" -eq 0 ]
}

@test "a hung status() keeps neither a cancel, nor stop, nor the end from coming" {
	echo 'grace = 20' >>"$CONF"
	handler_with <<-'PY'
		def status(self, wid):
		    journal("in status")
		    wait_for("never")
		def cancel(self, wid):
		    journal("in cancel")
		    return "yes"
	PY
	start_ready
	n=$(put n=1 do=stoppable)
	begun 1
	ask 'status wait=50'
	wait_until 10 journal '^in status'
	ask "cancel $n"
	wait_until 10 journal '^in cancel'
	stop_exo
	[ "$code" -eq 0 ]
	[ "$(header "$n" outcome)" = ok ]
	journal '^lifecycle stop'
}

# --- cancel ---

# Follows a cancellation in the background: follow REQUEST; then followed, and its answers.
follow()
{
	{ "$LIB/ctl.py" "$H" P1 "$1" >"$BATS_TEST_TMPDIR/answer" 2>&1; echo $? >"$BATS_TEST_TMPDIR/followed"; } 3>&- &
	PIDS="$PIDS $!"
}
followed() { [ -s "$BATS_TEST_TMPDIR/followed" ]; }
events() { answers '[x.get("event", x["type"]) for x in a]' "$1"; }
event_was() { grep -q "\"event\":\"$1\"" "$BATS_TEST_TMPDIR/answer"; }
retired_result() { has_result "$1" && [ "$(header "$1" outcome)" = "$2" ] && [ "$(header "$1" send)" = "$3" ]; }

CANCELLABLE='
def handle_wi(self, wid):
    self.wid, self.cancelled = wid, False
    super().handle_wi(wid)
def do_until_cancelled(self, f):
    while not self.cancelled:
        time.sleep(0.01)
    f.cancelled = True
def cancel(self, wid):
    journal(f"cancel {wid is self.wid}" if wid else "cancel None")
    self.cancelled = True
    return {"stopping": True}'

@test "cancel, by name and by wfid: requested, acknowledged, finished; the reply is what the handler left" {
	handler_with <<<"$CANCELLABLE"
	start_ready
	for by in name wfid; do
		n=$(put n=$by do=until_cancelled wfid=w-$by)
		begun $by
		key=$n
		[ $by = name ] || key=w-wfid
		ask "cancel $key wait=20000"
		events "['requested', 'acknowledged', 'finished', 'end']"
		answers 'a[1]["answer"], a[2]["outcome"], a[0]["name"], a[0]["wfid"]' "({'stopping': True}, 'ok', '$n', 'w-$by')"
		retired_result "$n" ok reply
		[ "$(field "$n" '["fields"]["cancelled"]')" = True ]
	done
	journal_count '^cancel True' 2
	code_of "cancel $n"
	[ "$code" -eq 4 ]
}

@test "cancel() that makes handle_wi end at once: acknowledged comes before finished all the same" {
	cat >"$S/prompt.py" <<-'PY'
		import threading
		class ParticipantHandler:
		    def __init__(self):
		        self.unwanted = threading.Event()
		    def handle_wi(self, wid):
		        self.unwanted.clear()
		        self.log.info("begun %s", wid.fields.n)
		        self.unwanted.wait(60)
		    def cancel(self, wid):
		        self.unwanted.set()
		        import time; time.sleep(0.002)
		        return "soon"
	PY
	ln -sf "$S/prompt.py" "$H/sv/skynet-P1/code.py"
	start_ready
	for i in 1 2 3 4 5 6 7 8; do
		n=$(put "n=$i" "wfid=w-$i")
		wait_until 20 logged "begun $i\$"
		ask "cancel w-$i wait=20000"
		events "['requested', 'acknowledged', 'finished', 'end']"
		answers 'a[1]["answer"]' soon
	done
}

@test "without wait: the connection ends at requested, the cancellation goes on" {
	handler_with <<<"$CANCELLABLE"
	start_ready
	n=$(put n=1 do=until_cancelled)
	begun 1
	ask "cancel $n"
	answers 'a[0]["event"], a[-1]' "('requested', {'type': 'end', 'code': 0})"
	wait_until 10 has_result "$n"
}

@test "quiet: the reply is stored as ever, for the bridge keeps it, and the handler is told once however often it is asked" {
	handler_with <<-'PY'
		def cancel(self, wid):
		    journal("cancel")
	PY
	start_ready
	n=$(put n=1 do=wait wait=go)
	begun 1
	ask "cancel $n quiet=yes"
	wait_until 10 journal '^cancel'
	for _ in 1 2 3; do ask "cancel $n quiet=yes"; done
	ask 'status wait=0'
	answers 'a[0]["workers"][0]["workitem"]["cancelled"]' True
	follow "cancel $n quiet=yes wait=60000"
	wait_until 10 event_was requested
	: >"$S/go"
	wait_until 10 followed
	events "['requested', 'finished', 'end']"
	retired_result "$n" ok reply
	result_once "$n"
	journal_count '^cancel' 1
}

@test "cancelled, and its worker dies behind the answer: that one counts, and no other is made" {
	handler_with <<-'PY'
		def do_done_cannot_be_said(self, f):
		    wait_for(f.wait)
		    os.close(60)
	PY
	start_ready
	n=$(put n=1 do=done_cannot_be_said wait=go)
	begun 1
	follow "cancel $n wait=60000"
	wait_until 10 event_was unsupported
	: >"$S/go"
	wait_until 10 followed
	events "['requested', 'unsupported', 'finished', 'end']"
	answers 'a[2]["outcome"]' ok
	retired_result "$n" ok reply
	result_once "$n"
}

@test "cancel by wfid: what is answered already, and only waits for the broker, is not withdrawn" {
	start_ready
	for i in 1 2 3; do a=$(put n=$i wfid=w-one); done
	wait_until 10 results 3
	put n=busy do=wait wait=go >/dev/null
	begun busy
	b=$(put n=4 wfid=w-one)
	ask 'cancel w-one'
	events "['withdrawn', 'end']"
	answers 'a[0]["name"]' "$b"
	: >"$S/go"
	wait_until 10 results 5
	[ "$(heads 'outcome: cancelled')" = 1 ]
	code_of "cancel $a"
	[ "$code" -eq 4 ]
}

@test "withdrawn: what waits, and what is ahead of a busy worker; it never runs" {
	start_ready
	a=$(put n=1 do=wait wait=go wfid=w-one)
	begun 1
	b=$(put n=2 wfid=w-two)
	wait_until 10 ahead "$b" # ahead
	c=$(put n=3 wfid=w-two)
	d=$(put n=4 wfid=w-four)
	e=$(put n=5 wfid=w-five)
	ask 'cancel w-two'
	events "['withdrawn', 'withdrawn', 'end']"
	answers 'sorted(x["name"] for x in a[:2])' "['$b', '$c']"
	ask "cancel $d quiet=yes wait=5000"
	answers '[a[0][k] for k in ("name", "wfid", "event")], a[1]["code"]' "(['$d', 'w-four', 'withdrawn'], 0)"
	: >"$S/go"
	wait_until 10 has_result "$e"
	for n in $b $c; do
		retired_result "$n" cancelled reply
		[ "$(field "$n" '["error"]["message"]')" = 'P1: cancelled before it was begun' ]
	done
	retired_result "$d" cancelled nothing
	retired_result "$a" ok reply
	journal_count '^begin [234] ' 0
}

@test "what is held is not withdrawn, nor what another has locked" {
	start_ready
	put n=1 do=wait wait=go wfid=w-one >/dev/null
	begun 1
	a=$(put n=2 wfid=w-two)
	wait_until 10 ahead "$a"
	b=$(put n=3 wfid=w-two)
	c=$(put n=4 wfid=w-two)
	ln "$H/spool/P1/open/$a" "$H/spool/P1/open/$a.hold" # spool-hold
	flock "$H/spool/P1/open/$b" -c "echo \$\$ >$S/daemon.1; exec sleep 600" 3>&- &
	wait_until 20 test -s "$S/daemon.1"
	ask 'cancel w-two'
	events "['withdrawn', 'end']"
	answers 'a[0]["name"]' "$c"
	code_of "cancel $a"
	[ "$code" -eq 4 ]
	kill -KILL "$(cat "$S/daemon.1")"
	wait_until 10 flock -n "$H/spool/P1/open/$b" true # flock, too, is gone
	: >"$S/go"
	wait_until 10 has_result "$b"
	retired_result "$b" ok reply
	not has_result "$a"
	rm "$H/spool/P1/open/$a.hold"
	wait_until 10 has_result "$a"
	retired_result "$a" ok reply
	journal_count '^begin [23] ' 2
}

@test "a label that fits is no proof: another process with the same first 40 characters is left alone" {
	start_ready
	put n=1 do=wait wait=go >/dev/null
	begun 1
	long=20261122-1052-0123456789012345678901234567
	a=$(put n=2 "wfid=$long.one")
	code_of "cancel $long.two"
	[ "$code" -eq 4 ]
	: >"$S/go"
	wait_until 10 has_result "$a"
	retired_result "$a" ok reply
}

@test "kill: who does not end in time is killed with its whole group, and answered at once" {
	handler_with <<-'PY'
		def do_stubborn(self, f):
		    signal.signal(signal.SIGTERM, signal.SIG_IGN)
		    p = subprocess.Popen(["sleep", "600"])
		    open(os.path.join(STATE, "daemon.1"), "w").write(str(p.pid))
		    wait_for("never")
	PY
	start_ready
	for quiet in no yes; do
		n=$(put n=$quiet do=stubborn)
		begun $quiet
		wait_until 10 test -s "$S/daemon.1"
		d=$(cat "$S/daemon.1")
		ask "cancel $n kill=1 wait=30000 quiet=$quiet"
		events "['requested', 'unsupported', 'killed', 'finished', 'end']"
		answers 'a[3]["outcome"]' cancelled
		[ $quiet = no ] || retired_result "$n" cancelled nothing
		[ $quiet = yes ] || retired_result "$n" cancelled reply
		wait_until 5 gone "$d"
		rm "$S/daemon.1"
	done
	journal_count '^begin' 2
	[ "$(status restarts)" = 0 ]
	m=$(put n=after)
	wait_until 10 has_result "$m"
}

@test "a cancelled workitem whose worker dies is answered at once and not tried again" {
	handler_with <<-'PY'
		def cancel(self, wid):
		    print("dying of it")
		    os._exit(9)
	PY
	start_ready
	for quiet in no yes; do
		n=$(put n=$quiet do=wait wait=never)
		begun $quiet
		ask "cancel $n wait=30000 quiet=$quiet"
		events "['requested', 'finished', 'end']"
		answers 'a[1]["outcome"]' cancelled
		[ $quiet = no ] || retired_result "$n" cancelled nothing
		[ $quiet = yes ] || retired_result "$n" cancelled reply
		field "$n" '["error"]["message"]' | grep -q 'P1: cancelled: worker exited with code 9'
		field "$n" '["error"]["trace"]' | grep -q 'dying of it'
	done
	journal_count '^begin' 2
}

@test "more of a wfid wait than are withdrawn at once: that is said, and asking again withdraws the rest" {
	start_ready
	put n=1 do=wait wait=go wfid=w-one
	begun 1
	"$LIB/mkwi.py" many "$H" P1 1100 300 >/dev/null # all of one wfid
	code_of 'cancel 20261122-1028-renejayu-pobapeze'
	[ "$code" = 75 ]
	answers '[x["type"] for x in a[-2:]]' "['error', 'end']"
	ask 'cancel 20261122-1028-renejayu-pobapeze'
	results 1100
	: >"$S/go"
	wait_until 20 results 1101
	journal_count '^begin ' 1
}

# Stores COUNT of that wfid, asks for their end and, at the first that is withdrawn, does what the lines on stdin say.
withdraw_many()
{
	{
		cat <<-'PY'
			import json, os, signal, socket, sys
			home, lib, state, exo, count, wfid = sys.argv[1:]
			sys.path.insert(0, lib)
			import answer, mkwi
			def connect():
			    s = socket.socket(socket.AF_UNIX)
			    s.settimeout(60)
			    s.connect("control")
			    return s
			def answers(s):
			    return [json.loads(l) for l in s.makefile()]
			for i in range(int(count)):
			    mkwi.store(home, "P1", {"n": f"many.{i}"}, wfid)
			os.chdir(home + "/run/P1")
			other, s = connect(), connect()
			s.sendall(f"cancel {wfid}\n".encode())
			first = s.recv(1 << 20)
			assert b'"withdrawn"' in first, first
		PY
		cat
	} >"$S/many.py"
	/usr/bin/python3 "$S/many.py" "$H" "$LIB" "$S" "$exo" "$1" "$2"
}

@test "while many are withdrawn exo answers and works, and begins none of them" {
	start_ready
	long=20261122-1052-0123456789012345678901234567
	for i in 1 2 3 4 5; do
		put n=busy.$i do=wait wait=go.$i >/dev/null
		begun busy.$i
		b=$(put n=same.$i "wfid=$long.one") # the same label
		withdraw_many 500 "$long.two" >"$S/between" <<-PY
			open(state + "/go.$i", "w").close()
			other.sendall(b"status wait=0\n")
			assert answers(other)[-1]["code"] == 0
			between = len(answer.names(home + "/spool/P1/work/result")) < 500 * $i
			lines = [json.loads(l) for l in (first + b"".join(iter(lambda: s.recv(65536), b""))).splitlines()]
			names = [l["name"] for l in lines[:-1]]
			assert len(names) == 500 and names == sorted(names), lines
			assert all(l["event"] == "withdrawn" and l["wfid"] == "$long.two" for l in lines[:-1])
			assert lines[-1] == {"type": "end", "code": 0}
			print(between)
		PY
		wait_until 20 has_result "$b"
		[ "$(header "$b" outcome)" = ok ]
		! grep -q True "$S/between" || break # a busy machine may be late
	done
	grep -q True "$S/between"
	journal_count '^begin many' 0
	sanitized || [ "$(rss_kb "$exo")" -lt 3072 ]
}

@test "who asked for the withdrawal of many goes away: it is done all the same" {
	start_ready
	put n=1 do=wait wait=go >/dev/null
	begun 1
	withdraw_many 800 w-many <<<'s.close()'
	wait_until 60 results 800
	: >"$S/go"
	wait_until 10 results 801
	journal_count '^begin' 1
}

@test "exo is told to stop while many are withdrawn: who asked is told, and the rest is as it was" {
	start_ready
	put n=1 do=stoppable >/dev/null
	begun 1
	b=$(put n=2) # ahead
	wait_until 10 ahead "$b"
	withdraw_many 1000 w-many <<-'PY'
		os.kill(int(exo), signal.SIGTERM)
		lines = [json.loads(l) for l in (first + b"".join(iter(lambda: s.recv(65536), b""))).splitlines()]
		done = sum(l.get("event") == "withdrawn" for l in lines)
		assert lines[-1]["code"] == (75 if done < 1000 else 0), lines[-2:]
		assert done == 1000 or lines[-2]["error"] == "exo ends, ask again", lines[-2:]
		print(done, file=open(state + "/done", "w"))
	PY
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 0 ]
	results $(($(cat "$S/done") + 1))
	[ "$(find "$H/spool/P1/open" -name '*-w-many' | wc -l)" -eq 1000 ]
	[ "$(heads 'outcome: cancelled')" -eq "$(cat "$S/done")" ]
	not has_result "$b"
	[ -z "$(ls "$W/cur")" ]
	journal_count '^begin' 1
}

@test "cancel() raises, hangs, returns what is no JSON; no cancel() at all; and wait ends in 75" {
	handler_with <<-'PY'
		def handle_wi(self, wid):
		    if wid.fields.cancel:
		        self.cancel = lambda w: eval(wid.fields.cancel)
		    super().handle_wi(wid)
	PY
	start_ready
	i=0
	while read -r expr want; do
		i=$((i + 1))
		n=$(put n=$i do=wait wait=go$i cancel="$expr")
		begun $i
		follow "cancel $n wait=60000"
		wait_until 10 event_was "$want"
		: >"$S/go$i"
		wait_until 10 followed
		events "['requested', '$want', 'finished', 'end']"
		rm "$BATS_TEST_TMPDIR/followed"
	done <<-'EOF'
		0 unsupported
		[][1] failed
		sys.exit(3) failed
		{1} failed
		None acknowledged
	EOF
	n=$(put n=hang do=wait wait=go cancel='wait_for("go")')
	begun hang
	code_of "cancel $n wait=100"
	[ "$code" -eq 75 ]
	events "['requested', 'end']"
	: >"$S/go"
	wait_until 10 has_result "$n"
	[ "$(status restarts)" = 0 ]
}

@test "cancel -: every handler hears of it, with no workitem; nothing else happens" {
	echo 'instances = 2' >>"$CONF"
	handler_with <<<"$CANCELLABLE"
	start_ready 2
	ask 'cancel -'
	answers 'a' "[{'type': 'end', 'code': 0}]"
	wait_until 10 journal_count '^cancel None' 2
}

@test "a client that hangs up ends its enquiry, not the cancellation" {
	start_ready
	n=$(put n=1 do=wait wait=never)
	begun 1
	follow "cancel $n kill=2 wait=60000"
	wait_until 10 event_was unsupported
	kill "${PIDS##* }"
	wait_until 20 has_result "$n"
	retired_result "$n" cancelled reply
}

@test "exo is told to stop while a cancelled one runs: it is answered, not resumed" {
	echo 'grace = 1' >>"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=never)
	begun 1
	ask "cancel $n quiet=yes"
	stop_exo
	retired_result "$n" cancelled nothing
}

# --- stacks ---

dumped() { [ "$(grep -c 'end of the stacks of process' "$LOG")" -ge "$1" ]; }

@test "stacks: Python's and C's, of a handler in Python code, into its log; it goes on" {
	start_ready
	n=$(put n=1 do=wait wait=go wfid=w-stacks)
	begun 1
	ask stacks
	answers '[x["type"] for x in a]' "['stacks', 'end']"
	answers 'a[0]["pid"], [p["pid"] for p in a[0]["processes"]]' "($(worker_pid), [$(worker_pid)])"
	wait_until 20 dumped 1
	logged '^\[w-stacks 0_0_0\] .*line [0-9]* in wait_for'
	logged '^\[w-stacks 0_0_0\] .*clock_nanosleep|^\[w-stacks 0_0_0\] .*libc\.so\.6'
	logged 'C stack of thread [0-9]+ \(exo-python\)'
	logged "process $(worker_pid) \(exo-python\) in state [RSD]" # it polls: R at times
	ask "stacks $n"
	wait_until 20 dumped 2
	code_of 'stacks nothing'
	[ "$code" -eq 4 ]
	: >"$S/go"
	wait_until 10 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	ask stacks # idle
	wait_until 20 dumped 3
	logged '^\[-\] end of the stacks'
	[ "$(status restarts)" = 0 ]
}

@test "stacks of a handler that holds the interpreter in a C call, with handlers for the usual signals" {
	handler_with <<-'PY'
		def do_hold(self, f):
		    import ctypes, threading
		    threading.Thread(target=wait_for, args=("never",), daemon=True).start()
		    for s in range(1, 32):
		        try:
		            signal.signal(s, lambda *_: None)
		        except (OSError, ValueError):
		            pass
		    libc = ctypes.PyDLL(None)
		    journal("holding")
		    while not os.path.exists(os.path.join(STATE, f.wait)):
		        libc.usleep(2000000)
	PY
	start_ready
	n=$(put n=1 do=hold wait=go wfid=w-hold)
	wait_until 10 journal '^holding'
	ask stacks
	wait_until 20 dumped 1
	logged '^\[w-hold 0_0_0\] .*File ".*code.py", line [0-9]* in do_hold'
	logged '^\[w-hold 0_0_0\] .*line [0-9]* in wait_for'
	logged '^\[w-hold 0_0_0\] .*usleep'
	: >"$S/go"
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(status restarts)" = 0 ]
}

@test "stacks where the participant took or blocks the very signals: said, and nothing dies" {
	handler_with <<-'PY'
		def do_take(self, f):
		    for s in range(34, 65):
		        signal.signal(s, signal.SIG_DFL)
		    wait_for(f.wait)
		def do_block(self, f):
		    for s in range(34, 65):
		        signal.signal(s, lambda *_: None)
		    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
		    wait_for(f.wait)
	PY
	start_ready
	for do in take block; do
		n=$(put n=$do do=$do wait=go.$do wfid=w-$do)
		begun $do
		ask stacks
		wait_until 20 dumped 1
		logged "^\[w-$do 0_0_0\] +not known: the participant has taken signal"
		logged "^\[w-$do 0_0_0\] .*in wait_for" # the lock could be had
		: >"$S/go.$do"
		wait_until 10 has_result "$n"
		: >"$LOG"
	done
	[ "$(status restarts)" = 0 ]
}

# --- hostile input ---

@test "any bytes as a request, at any pace: exo answers or hangs up, stays small and works" {
	start_ready
	n=$(put n=1 do=wait wait=go)
	begun 1
	/usr/bin/python3 - "$H" <<-'PY'
		import json, os, random, socket, sys
		os.chdir(sys.argv[1] + "/run/P1")
		random.seed(7)
		words = ["status", "cancel", "stacks", "-", "kill=1", "kill=99999999999999999999", "wait=-1", "wait=0", "quiet=yes",
		         "quiet=", "=", "x" * 255, "x" * 256, "\x00", "é", "../../etc/passwd", "%s%n", "20261122T105443.865116-0000-zz"]
		for i in range(600):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect("control")
		    data = (" ".join(random.choices(words[:3] * 3 + words, k=random.randint(0, 6))).encode() if i % 2
		            else random.randbytes(random.randint(0, 200)))
		    try:
		        s.sendall(data + (b"\n" if i % 3 else b""))
		        if i % 5 == 0:
		            s.close()
		            continue
		        s.shutdown(socket.SHUT_WR)
		        text = b"".join(iter(lambda: s.recv(65536), b""))
		    except OSError:
		        continue
		    lines = [json.loads(l) for l in text.splitlines()]
		    assert not lines or lines[-1]["type"] == "end", lines
	PY
	sanitized || [ "$(rss_kb "$exo")" -lt 3072 ]
	ask status
	: >"$S/go"
	wait_until 10 has_result "$n"
	[ "$(status restarts)" = 0 ]
}

@test "a client that reads nothing is cut off; 32 that wait take nothing from the others" {
	handler_with <<-'PY'
		def status(self, wid):
		    return "x" * 60000
	PY
	start_ready
	n=$(put n=1 do=wait wait=go)
	begun 1
	/usr/bin/python3 - "$H" <<-'PY'
		import os, socket, sys
		os.chdir(sys.argv[1] + "/run/P1")
		many = []
		for i in range(31):
		    s = socket.socket(socket.AF_UNIX)
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		    s.connect("control")
		    s.sendall(b"status wait=60000\n")
		    many.append(s)
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(20)
		s.connect("control")
		s.sendall(b"status wait=0\n")
		assert b'"end"' in b"".join(iter(lambda: s.recv(65536), b""))
	PY
	: >"$S/go"
	wait_until 10 has_result "$n"
	ask status
}

@test "a worker that forges answers: unknown ones are dropped, one that breaks the protocol is killed, exo lives" {
	handler_with <<-'PY'
		def do_forge(self, f):
		    import socket
		    s = socket.socket(fileno=os.dup(61))
		    for text in ("answer", "answer ", "answer 1", "answer x {}", "answer 4294967296 {}", "answer 1 {\"answer\":",
		                 "answer 1 " + "[" * 60000, "answer 99 {\"answer\":1}", "answer -1 {\"absent\":\"finished meanwhile\"}"):
		        for _ in range(50):
		            s.send(text.encode())
		    s.send(b"answer 1 {\"answer\":\"\xff\"}")
		def do_too_long(self, f):
		    import socket
		    socket.socket(fileno=os.dup(61)).send(b"answer 1 " + b" " * 100000)
		    wait_for("never")
		def status(self, wid):
		    import socket
		    socket.socket(fileno=os.dup(61)).send(b"answer 1 {\"answer\":1,\n\"error\":\"\xff\"}")
		    return "mine"
	PY
	echo 'max_attempts = 1' >>"$CONF"
	start_ready
	n=$(put n=1 do=forge)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	n=$(put n=2 do=wait wait=go)
	begun 2
	ask 'status wait=10000' # its id is 1
	answers 'a[1]["error"]' "the worker's answer is no JSON"
	: >"$S/go"
	wait_until 20 has_result "$n"
	n=$(put n=3 do=too_long)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(field "$n" '["error"]["message"]')" = 'P1: worker sent a packet that is too long, and was killed (1 attempt)' ]
	logged 'sent a packet that is too long, killing it'
	ask status
}
