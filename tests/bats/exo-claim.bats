#!/usr/bin/env bats
# exo and its workers: who has a workitem in hand, which attempt it is in, and what is not begun again (docs/SPOOL.md, claim.*).
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
	O=$H/spool/P1/open
	export SKYNET_RESCAN_S=600 # no test waits for one by chance
}

teardown() { exo_teardown; }

begun() { wait_until 20 journal_count "^begin $1 " "${2:-1}"; }
hold() { ln "$O/$1" "$O/$1.hold"; } # as spool-hold does
release() { rm "$O/$1.hold"; }
again() { : >"$O/$1.again"; rm "$O/$1.again"; } # as deliver.3 does
given() { "$LIB/ctl.py" "$H" P1 "status wait=0" | grep -qF "$1"; }
dead_exo() { kill -KILL "$exo"; wait "$exo" || true; }
# One more workitem has been through: what was to be seen of earlier events has been.
one_more() { m=$(put n="more.${1:-1}"); wait_until 60 has_result "$m"; }
# exo looks through open/ and cur/: a note of what is not open is removed then.
rescanned()
{
	stale=20200101T000000.00000$1-0000-0123456789abcdef-stale
	ln -s nowhere "$W/cur/$stale,a1"
	wait_until 20 unnoted "$stale"
}
# The handler of the tests, with a journal of the notes that were there when it began, and more methods, from stdin.
noting_handler()
{
	{
		cat <<-PY
			def handle_wi(self, wid):
			    self.notes = lambda: sorted(os.listdir("$W/cur"))
			    journal(f"notes {wid.fields.n} " + " ".join(n.rsplit(",", 1)[1] for n in self.notes()))
			    super().handle_wi(wid)
		PY
		cat
	} | handler_with
}

# --- notes ---

@test "work of less than 100 ms is never noted; what runs for longer is, while it runs" {
	noting_handler </dev/null
	start_ready
	"$LIB/watch.py" "$W/cur" "$S/watch" 3>&- &
	PIDS="$PIDS $!"
	wait_until 20 test -s "$S/watch"
	"$LIB/mkwi.py" many "$H" P1 500 300
	wait_until 60 results 500
	: >"$W/cur/mark"
	wait_until 20 grep -q 'made mark' "$S/watch"
	# A machine that stands still for 100 ms makes one of them long.
	[ "$(grep -c '^made .*,a' "$S/watch")" -le 5 ]
	rm "$W/cur/mark"
	n=$(put n=long do=wait wait=go)
	begun long
	m=$(put n=ahead)
	wait_until 20 noted "$n" 1
	[ "$(readlink "$W/cur/$n,a1")" = "../../open/$n" ]
	in_hand "$n"
	not in_hand "$m"
	: >"$S/go"
	wait_until 20 has_result "$m"
	wait_until 20 unnoted "$n"
	[ -z "$(ls "$W/cur")" ]
	journal '^notes long $'
	[ -e "$O/$n" ]
	not in_hand "$n"
}

@test "who works for long does not keep exo awake, and the next one is noted too" {
	start_ready
	n=$(put n=1 do=wait wait=go)
	begun 1
	m=$(put n=2 do=wait wait=go2) # ahead: nothing is sent when its turn comes
	wait_until 20 ahead "$m"
	wait_until 20 noted "$n" 1
	# shellcheck disable=SC2034 # for asleep
	wpid=$exo
	wait_until 20 asleep
	before=$(sleeps "$exo")
	sleep 2 # measures rest
	[ $(($(sleeps "$exo") - before)) -le 2 ]
	: >"$S/go"
	begun 2
	wait_until 20 noted "$m" 1
	wait_until 20 unnoted "$n"
	: >"$S/go2"
	wait_until 20 has_result "$m"
}

@test "what still runs when exo is told to stop is noted too: kill -9 in its grace counts" {
	handler_with <<-'PY'
		def do_term(self, f):
		    os.kill(os.getppid(), signal.SIGTERM) # long before it is noted
		    wait_for(f.wait)
	PY
	start_ready
	n=$(put n=1 do=term wait=go)
	wait_until 20 state_is stopping
	wait_until 20 noted "$n" 1
	dead_exo
	handler_with <<-'PY'
		def do_term(self, f):
		    pass
	PY
	start_ready
	wait_until 20 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ]
}

@test "a worker that dies at once while exo ends: that counts" {
	handler_with <<-PY
		def do_term_and_die(self, f):
		    os.kill(os.getppid(), signal.SIGTERM)
		    while "stopping" not in open("$H/run/P1/status").read():
		        time.sleep(0.001)
		    os.abort()
	PY
	start_ready
	n=$(put n=1 do=term_and_die)
	wait "$exo"
	noted "$n" 1
}

@test "noted because it was found by looking, and not begun when exo ends: that does not count" {
	a=$(put n=1 do=stoppable)
	b=$(put n=2)
	start_ready
	begun 1
	wait_until 20 ahead "$b"
	noted "$b" 1
	stop_exo
	has_result "$a"
	[ -z "$(ls "$W/cur")" ]
	start_ready
	wait_until 20 has_result "$b"
	[ "$(header "$b" attempt)" = 1 ]
}

@test "kill -9 of exo at the very beginning of each attempt: the first is forgotten, those after it are not, and there is an end" {
	noting_handler <<-'PY'
		def do_kill(self, f):
		    os.kill(os.getppid(), signal.SIGKILL)
		    wait_for("never")
	PY
	echo 'max_attempts = 2' >>"$CONF"
	start_ready
	n=$(put n=1 do=kill)
	wait "$exo" || true
	unnoted "$n"
	for i in 1 2; do
		start_exo
		wait "$exo" || true
		noted "$n" "$i"
	done
	start_ready
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" attempt)" = 2 ]
	wait_until 20 unnoted "$n"
	grep '^notes' "$S/journal" | tr '\n' ';' | grep -qx 'notes 1 ;notes 1 a1;notes 1 a2;'
	one_more
	journal_count '^begin 1 ' 3
}

@test "a worker that dies at once, three times: noted from the second attempt on, then an error reply" {
	noting_handler <<-'PY'
		def do_die(self, f):
		    os._exit(3)
		def do_hide_and_die(self, f):
		    for n in self.notes():
		        os.unlink(f"{os.environ['TEST_CUR']}/{n}")
		    os._exit(3)
	PY
	echo "TEST_CUR=$W/cur" >>"$H/etc/skynet.env"
	start_ready
	n=$(put n=1 do=die)
	wait_until 60 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" attempt)" = 3 ]
	grep '^notes' "$S/journal" | tr '\n' ';' | grep -qx 'notes 1 ;notes 1 a2;notes 1 a3;'
	wait_until 20 unnoted "$n"
	m=$(put n=2 do=hide_and_die) # exo has a memory of its own
	wait_until 60 has_result "$m"
	[ "$(header "$m" outcome)" = crash ]
	[ "$(header "$m" attempt)" = 3 ]
	journal_count '^begin 2 ' 3
}

@test "exo dies between an answer and the end of its note: it is not begun again, and the note goes with the workitem" {
	export SKYNET_FAIL=claim.5:kill SKYNET_FAIL_ONCE=$S/hit
	n=$(put n=1)
	start_exo
	wait "$exo" || true
	[ -e "$S/hit" ]
	noted "$n" 1
	has_result "$n"
	export SKYNET_RESCAN_S=0.2
	start_ready
	one_more
	rescanned 1
	noted "$n" 1
	journal_count '^begin 1 ' 1
	"$LIB/mkwi.py" retire "$H" P1 "$n"
	wait_until 20 unnoted "$n"
}

# --- answered, and still in open/: the broker is away ---

@test "3000 that are answered and stay in open/: not begun again by late events, by rescans, or by another exo" {
	start_ready
	"$LIB/mkwi.py" many "$H" P1 3000 300
	wait_until 120 results 3000
	kill -STOP "$exo"
	for f in "$O"/*; do : >>"$f"; done # as if each were whole only now
	mkdir "$S/away"
	mv "$O"/* "$S/away"
	mv "$S/away"/* "$O"
	kill -CONT "$exo"
	one_more 1
	[ "$(grep -c ^begin "$S/journal")" -eq 3001 ]
	stop_exo
	export SKYNET_RESCAN_S=0.2
	n=$(put n=unanswered)
	start_ready
	wait_until 60 has_result "$n"
	one_more 2
	rescanned 1
	rescanned 2
	one_more 3
	dead_exo
	start_ready
	one_more 4
	rescanned 3
	[ "$(grep -c ^begin "$S/journal")" -eq 3005 ]
	[ -z "$(ls "$W/cur")" ]
}

@test "more events than the kernel keeps: each of those workitems is begun once, and no answered one" {
	start_ready
	"$LIB/mkwi.py" many "$H" P1 1000 300
	wait_until 60 results 1000
	kill -STOP "$exo"
	count=$(($(cat /proc/sys/fs/inotify/max_queued_events) + 600))
	[ "$count" -lt 40000 ] || skip "the kernel keeps too many events"
	"$LIB/mkwi.py" many "$H" P1 "$count" 300
	kill -CONT "$exo"
	done_all() { [ "$(grep -c ^end "$S/journal")" -ge $((1000 + count)) ]; }
	wait_until 240 done_all
	one_more
	[ "$(grep -c ^begin "$S/journal")" -eq $((1001 + count)) ]
	results $((1001 + count))
	# n counts from 0 in both, so each pid-less line is there twice below 1000
	[ "$(awk '/^begin [0-9]/ { print $2 }' "$S/journal" | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | tr -s ' ' | tr '\n' ';')" = " $((count - 1000)) 1; 1000 2;" ]
}

@test "events of no use fill what the kernel keeps, and that of a new workitem is lost: it is found at once all the same" {
	start_ready
	a=$(put n=1)
	b=$(put n=2)
	wait_until 20 results 2
	kill -STOP "$exo"
	/usr/bin/python3 - "$O/$a" "$O/$b" <<-'PY'
		import sys
		most = int(open("/proc/sys/fs/inotify/max_queued_events").read())
		for i in range(min(most, 100000)):
		    for path in sys.argv[1:]:  # in turn: equal ones are made one
		        open(path, "ab").close()
	PY
	n=$(put n=3)
	kill -CONT "$exo"
	wait_until 20 has_result "$n"
	journal_count '^begin [123] ' 3
}

# --- held ---

@test "what is held is not begun, at the start, by an event, or by a rescan, and is not noted; released it runs at once" {
	export SKYNET_RESCAN_S=0.2
	a=$(put n=1)
	hold "$a"
	start_ready
	kill -STOP "$exo"
	b=$(put n=2)
	hold "$b"
	kill -CONT "$exo"
	one_more
	rescanned 1
	rescanned 2
	wait_until 20 logged "name=$b: is not there any more, or held"
	not journal '^begin [12] '
	unnoted "$a"
	unnoted "$b"
	stop_exo
	export SKYNET_RESCAN_S=600
	start_ready
	one_more 2
	release "$a"
	wait_until 10 has_result "$a"
	release "$b"
	wait_until 10 has_result "$b"
	one_more 3
	journal_count '^begin [12] ' 2
	[ "$(header "$a" attempt)" = 1 ]
}

@test "held while it is ahead of a worker: not begun; held and released there: begun once" {
	start_ready
	for how in held released; do
		put n=busy.$how do=wait wait=go.$how >/dev/null
		begun busy.$how
		n=$(put n=$how)
		wait_until 20 ahead "$n"
		hold "$n"
		[ $how = held ] || release "$n"
		: >"$S/go.$how"
		one_more $how
		journal_count "^begin $how " "$([ $how = held ] && echo 0 || echo 1)"
		[ $how = released ] || a=$n
	done
	logged "name=$a: is not there any more, or held"
	release "$a"
	wait_until 10 has_result "$a"
	one_more
	journal_count '^begin held ' 1
	journal_count '^begin released ' 1
}

@test "a workitem that ends its worker, and is lost from sight in between: exo still knows how often" {
	start_ready
	n=$(put n=1 do=wait wait=never)
	for i in 1 2; do
		begun 1 $i
		hold "$n"
		kill -KILL "$(worker_pid)"
		given_up() { [ "$(grep -c "name=$n: is not there any more, or held" "$LOG")" -eq "$i" ]; }
		wait_until 20 given_up
		rm -f "$W/cur/$n",a*
		release "$n"
	done
	begun 1 3
	kill -KILL "$(worker_pid)"
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" attempt)" = 3 ]
}

@test "held when its attempts are used up, in a moment between its worker and the error reply: answered when it is released" {
	export SKYNET_RESCAN_S=0.5
	start_ready
	n=$(put n=1 do=wait wait=never)
	for i in 1 2 3; do
		begun 1 $i
		[ $i -lt 3 ] || hold "$n"
		kill -KILL "$(worker_pid)"
	done
	wait_until 20 logged "name=$n: held, or in hand"
	rescanned 1
	not has_result "$n"
	release "$n"
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" attempt)" = 3 ]
	wait_until 20 unnoted "$n"
}

@test "found by looking, its attempts used up, and held before its turn comes: no error reply before it is released" {
	echo 'max_attempts = 1' >>"$CONF"
	start_ready
	put n=busy do=wait wait=go >/dev/null
	begun busy
	put n=next >/dev/null
	dead_exo
	rm -f "$W"/cur/*,a1
	n=$(put n=late)
	ln -s ../../open/x "$W/cur/$n,a1"
	start_ready
	begun busy 2
	hold "$n"
	: >"$S/go"
	one_more
	wait_until 20 logged "name=$n: held, or in hand"
	not has_result "$n"
	release "$n"
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
}

# spool-hold has the lock the moment its worker is gone, and is slow to make the marker. (Here: a child has the same lock.)
slow_hold()
{
	handler_with <<-PY
		def do_locked(self, f):
		    fd = next(i for i in os.listdir("/proc/self/fd") if "/open/" in os.readlink(f"/proc/self/fd/{i}"))
		    file = os.readlink(f"/proc/self/fd/{fd}")
		    script = f"while ! test -e {STATE}/hold; do sleep 0.05; done; ln {file} {file}.hold; : >{STATE}/held; exec {fd}>&-"
		    p = subprocess.Popen(["setsid", "sh", "-c", script], pass_fds=[int(fd)], env={"PATH": os.environ["PATH"]})
		    open(f"{STATE}/daemon.1", "w").write(str(p.pid))
		    journal("locked")
		    wait_for("never")
	PY
	start_ready
	n=$(put n=1 do=locked)
	wait_until 20 journal_count '^locked' 1
}
# What exo says when it leaves it unanswered; then it is held, and released.
no_answer_before_release()
{
	wait_until 20 logged "name=$n: held, or in hand"
	rescanned "$1"
	not has_result "$n"
	: >"$S/hold"
	wait_until 60 test -e "$S/held"
	rescanned "$((1 + $1))"
	not has_result "$n"
	release "$n"
	wait_until 20 has_result "$n"
	rescanned "$((2 + $1))"
	result_once "$n"
	journal_count '^begin 1 ' "$2"
}

@test "spool-hold between the last death of its worker and the error reply: answered when it is released" {
	export SKYNET_RESCAN_S=0.5
	echo 'max_attempts = 1' >>"$CONF"
	slow_hold
	kill -KILL "$(worker_pid)"
	no_answer_before_release 1 1
	[ "$(header "$n" outcome)" = crash ]
}

@test "spool-hold between the end of its time and the error reply: answered when it is released" {
	export SKYNET_RESCAN_S=0.5
	echo 'time_limit = 1' >>"$CONF"
	slow_hold
	no_answer_before_release 1 1
	[ "$(header "$n" outcome)" = timeout ]
	[ "$(field "$n" '["error"]["message"]')" = 'P1: not done within time_limit (1 s)' ]
}

@test "spool-hold between the end of a worker that did not listen to a cancel and the error reply: answered when it is released" {
	export SKYNET_RESCAN_S=0.5
	slow_hold
	"$LIB/ctl.py" "$H" P1 "cancel $n kill=1 wait=0" >/dev/null
	no_answer_before_release 1 1
	[ "$(header "$n" outcome)" = cancelled ]
}

# --- to run again ---

@test "to run again: once more though it is answered; when it is in hand, behind its end" {
	start_ready
	n=$(put n=1)
	wait_until 20 has_result "$n"
	one_more 1
	again "$n"
	begun 1 2
	one_more 2
	journal_count '^begin 1 ' 2
	[ "$(header "$n" attempt)" = 1 ]
	m=$(put n=2 do=wait wait=go)
	begun 2
	again "$m"
	again "$m"
	wait_until 20 noted "$m" 1
	journal_count '^begin 2 ' 1
	: >"$S/go"
	begun 2 2
	one_more 3
	journal_count '^begin 2 ' 2
	wait_until 20 unnoted "$m"
}

@test "what a handler leaves behind does not hold the lock: it can run again at once" {
	handler_with <<-'PY'
		def do_fork(self, f):
		    if os.fork() == 0:
		        open(f"{STATE}/daemon.fork", "w").write(str(os.getpid()))
		        while True:
		            time.sleep(600)
		    wait_for("daemon.fork")
		def do_spawn(self, f):
		    p = subprocess.Popen(["sleep", "600"], close_fds=False)
		    open(f"{STATE}/daemon.spawn", "w").write(str(p.pid))
	PY
	start_ready
	for do in fork spawn; do
		n=$(put n=$do do=$do)
		wait_until 20 has_result "$n"
		d=$(cat "$S/daemon.$do")
		kill -0 "$d"
		wait_until 10 not in_hand "$n"
		again "$n"
		begun $do 2
		wait_until 20 journal_count "^end $do" 2
		kill -KILL "$d"
	done
}

@test "what a program leaves behind, reading from its workitem, does not hold the lock either" {
	rm "$H/sv/skynet-P1/code.py"
	echo 'code = code' >>"$CONF"
	cat >"$H/sv/skynet-P1/code" <<-SH
		#!/bin/sh
		echo "begin 1 \$\$" >>$S/journal
		exec 9<&0
		setsid sh -c 'exec sleep 600 <&9' >/dev/null 2>&1 &
		echo \$! >$S/daemon.\$\$
	SH
	chmod 755 "$H/sv/skynet-P1/code"
	start_ready
	n=$(put n=1)
	wait_until 20 has_result "$n"
	for f in "$S"/daemon.*; do kill -0 "$(cat "$f")"; done
	wait_until 10 not in_hand "$n"
	again "$n"
	begun 1 2
}

# --- another has it in hand ---

@test "locked by another: not begun and not noted; at the rescan behind that it runs" {
	n=$(put n=1)
	flock "$O/$n" -c "echo \$\$ >$S/locked; exec sleep 600" 3>&- &
	PIDS="$PIDS $!"
	wait_until 20 test -s "$S/locked"
	export SKYNET_RESCAN_S=0.5
	start_ready
	wait_until 20 logged "name=$n: is not there any more"
	one_more
	rescanned 1
	journal_count '^begin 1 ' 0
	in_hand "$n"
	kill -KILL "$(cat "$S/locked")"
	wait_until 10 has_result "$n"
	[ "$(header "$n" attempt)" = 1 ]
	journal_count '^begin 1 ' 1
}

@test "who only looks who has what in hand keeps nothing from being worked on" {
	start_ready
	"$LIB/mkwi.py" home "$S/other" P1
	/usr/bin/python3 - "$LIB" "$S/other" "$O" <<-'PY'
		import fcntl, os, sys, time
		lib, other, opened = sys.argv[1:]
		sys.path.insert(0, lib)
		import mkwi
		for n in range(30):
		    leaf = mkwi.store(other, "P1", {"n": n})
		    path = f"{other}/spool/P1/open/{leaf}"
		    with open(path) as f:
		        fcntl.flock(f, fcntl.LOCK_SH)
		        os.rename(path, f"{opened}/{leaf}")  # exo hears of it, and a worker tries
		        time.sleep(0.003)
		    time.sleep(0.01)
	PY
	answered() { "$LIB/answer.py" --names "$W/result" | wc -l; }
	all_tried() { [ $(($(answered) + $(grep -c "is not there any more" "$LOG"))) -ge 30 ]; }
	wait_until 20 all_tried
	[ "$(answered)" -ge 20 ] # a machine that stands still makes a look longer than a worker's patience
}

@test "to run again, and its worker dies of it: the next attempt at once; what the former run answered is no answer to this one" {
	handler_with <<-'PY'
		def do_dies(self, f):
		    open(f"{STATE}/runs.{f.n}", "a").write("x")
		    runs = os.path.getsize(f"{STATE}/runs.{f.n}")
		    if runs >= 2 and (f.always or runs < 4):
		        os.kill(os.getpid(), signal.SIGKILL)
	PY
	start_ready
	n=$(put n=1 do=dies)
	wait_until 20 has_result "$n"
	again "$n"
	begun 1 4
	wait_until 60 results 2
	for i in 1 2; do logged "name=$n attempt=$i: worker killed by signal 9"; done
	[ "$(heads "attempt: 3")" -eq 1 ]
	wait_until 20 unnoted "$n"
	m=$(put n=2 do=dies always=true)
	wait_until 20 has_result "$m"
	again "$m"
	begun 2 4
	wait_until 60 results 4
	[ "$(heads "outcome: crash")" -eq 1 ]
	one_more
	journal_count '^begin 2 ' 4
	journal_count '^begin 1 ' 4
}

@test "to run again, and its worker ends when it has answered, without a word: that is its answer" {
	handler_with <<-'PY'
		def do_silent(self, f):
		    open(f"{STATE}/runs.{f.n}", "a").write("x")
		    if os.path.getsize(f"{STATE}/runs.{f.n}") == 2:
		        os.closerange(60, 64)
	PY
	start_ready
	n=$(put n=1 do=silent)
	wait_until 20 has_result "$n"
	again "$n"
	wait_until 20 logged "name=$n attempt=1: had its answer when its worker ended"
	one_more
	journal_count '^begin 1 ' 2
	[ "$("$LIB/answer.py" --names "$W/result" | grep -cx "$n")" -eq 2 ]
}

@test "to run again, said while it was in hand, and its worker ends when it has answered, without a word: once more" {
	handler_with <<-'PY'
		def do_silent(self, f):
		    open(f"{STATE}/runs.{f.n}", "a").write("x")
		    if os.path.getsize(f"{STATE}/runs.{f.n}") == 1:
		        os.closerange(60, 64)
		        wait_for("go")
	PY
	start_ready
	n=$(put n=1 do=silent)
	begun 1
	again "$n"
	wait_until 20 noted "$n" 1
	: >"$S/go"
	wait_until 20 logged "name=$n attempt=1: had its answer when its worker ended"
	begun 1 2
	wait_until 20 results 2
}

# --- not whole yet ---

@test "found before it was written to its end: tried once more if exo heard of the end while a worker had it" {
	start_ready
	n=$(put n=0) && wait_until 20 has_result "$n"
	wpid=$(worker_pid)
	kill -STOP "$wpid"
	n=${n%-0000-*}-0001-${n#*-0000-}
	: >"$O/$n" # exo hears of it: as good as finding it
	wait_until 20 given "$n"
	: >>"$O/$n"
	next=$(put n=1)
	wait_until 20 ahead "$next"
	kill -CONT "$wpid"
	wait_until 20 has_result "$next"
	tried() { [ "$(grep -c "name=$n: its file in open/ is damaged" "$LOG")" -eq 2 ]; }
	wait_until 20 tried
	one_more
	tried
}
