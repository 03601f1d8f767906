#!/usr/bin/env bats
# exo: how workers die and how they start.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
}

teardown() { exo_teardown; }

# --- death of a worker ---

died() # FIELD-do TEXT
{
	start_ready
	n=$(put n=1 do="$1" wfid=w1)
	m=$(put n=2 wfid=w2)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" attempt)" = 3 ]
	[ -z "$(header "$n" sha256)" ]
	[ "$(header "$n" length)" = "$(body "$n" | wc -c)" ]
	[ "$(field "$n" '["error"]["class"]')" = RuntimeError ]
	field "$n" '["error"]["message"]' | grep -q "$2"
	field "$n" '["error"]["message"]' | grep -q "3 attempts"
	journal_count '^begin 1 ' 3
	grep -qF "name=$n attempt=1: worker $2" "$LOG"
	wait_until 20 has_result "$m"
	[ "$(header "$m" attempt)" = 1 ]
	[ "$(status restarts)" = 3 ]
	unnoted "$n"
	not in_hand "$n"
}

@test "os._exit: three attempts, then an error reply with its last lines; the next one is untouched" {
	died os_exit "exited with code 3"
	[ "$(field "$n" '["error"]["trace"]')" = "['last words 1']" ]
	logged "name=$n attempt=3: its last lines: last words 1"
}

@test "abort" {
	died abort "killed by signal 6 (SIGABRT)"
}

@test "segfault, with the place in the trace" {
	died segv "killed by signal 11 (SIGSEGV)"
	field "$n" '["error"]["trace"]' | grep -q 'about to crash 1.*Segmentation fault.*do_segv'
}

@test "max_attempts and error_class are honoured" {
	printf '[participant]\nmax_attempts = 1\nerror_class = StandardError\n' >"$CONF"
	start_ready
	n=$(put n=1 do=os_exit)
	wait_until 5 has_result "$n"
	[ "$(header "$n" attempt)" = 1 ]
	[ "$(field "$n" '["error"]["class"]')" = StandardError ]
	journal_count '^begin 1 ' 1
}

@test "a worker that dies once: the second attempt answers, the restart is at once" {
	start_ready
	n=$(put n=1 do=once)
	within 3 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ]
	[ "$(header "$n" outcome)" = ok ]
}

@test "attempts are counted although the participant renames or removes the notes of them" {
	start_ready
	for how in rename remove; do
		n=$(put n=$how do=wait wait=never)
		for i in 1 2 3; do
			wait_until 20 journal_count "^begin $how " "$i"
			wait_until 20 test -L "$W/cur/$n,a$i"
			if [ $how = remove ]; then
				rm "$W/cur/$n,a$i"
			elif [ "$i" -gt 1 ]; then
				mv "$W/cur/$n,a$i" "$W/cur/$n,a1"
			fi
			kill -KILL "$(worker_pid)"
		done
		wait_until 40 has_result "$n"
		[ "$(header "$n" outcome)" = crash ]
		[ "$(header "$n" attempt)" = 3 ]
		journal_count "^begin $how " 3
	done
}

@test "kill -9 of an idle worker loses nothing" {
	start_ready
	old=$(worker_pid)
	kill -KILL "$old"
	wait_until 5 new_worker "$old"
	n=$(put n=1)
	wait_until 5 has_result "$n"
	[ "$(header "$n" attempt)" = 1 ]
}

@test "kill -9 of a worker: what was ahead keeps its first attempt" {
	start_ready
	a=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	b=$(put n=2)
	wait_until 5 ahead "$b"
	unnoted "$b"
	: >"$S/go2"
	kill -KILL "$(worker_pid)"
	: >"$S/go"
	wait_until 10 has_result "$b"
	[ "$(header "$a" attempt)" = 2 ]
	[ "$(header "$b" attempt)" = 1 ]
}

@test "a worker that dies behind its done has done it" {
	start_ready
	n=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	m=$(put n=2)
	wait_until 5 ahead "$m"
	kill -STOP "$exo"
	: >"$S/go"
	wait_until 5 has_result "$m"
	wpid=$(worker_pid)
	wait_until 5 asleep # both are sent, exo has seen neither
	kill -KILL "$wpid"
	kill -CONT "$exo"
	wait_until 20 new_worker "$wpid"
	k=$(put n=3)
	wait_until 20 has_result "$k"
	[ "$(header "$n" attempt)" = 1 ]
	[ "$(header "$m" attempt)" = 1 ]
	journal_count '^begin' 3
	results 3
}

@test "a worker that dies behind its answer and before its done has done it, and exo answers nothing" {
	handler_with <<-'PY'
		def do_done_cannot_be_said(self, f):
		    os.close(60)
	PY
	echo 'max_attempts = 1' >>"$CONF"
	start_ready
	n=$(put n=1 do=done_cannot_be_said)
	m=$(put n=2)
	wait_until 20 has_result "$m"
	[ "$(header "$n" outcome)" = ok ]
	logged "name=$n attempt=1: had its answer when its worker ended"
	result_once "$n"
	[ "$(status restarts)" = 1 ]
	stop_exo
	start_ready
	k=$(put n=3)
	wait_until 20 has_result "$k"
	journal_count '^begin 1 ' 1
}

@test "what a worker leaves behind is killed with it, orphans of orphans too" {
	start_ready
	a=$(put n=1 do=daemon go=go)
	wait_until 5 has_result "$a"
	b=$(put n=2 do=daemon go=go)
	wait_until 5 has_result "$b"
	d1=$(cat "$S/daemon.1")
	d2=$(cat "$S/daemon.2")
	kill -0 "$d1"
	kill -0 "$d2"
	kill -KILL "$(worker_pid)"
	wait_until 5 gone "$d1"
	wait_until 5 gone "$d2"
	all_reaped() { [ -z "$(pgrep -P "$exo" -r Z)" ]; }
	wait_until 5 all_reaped
}

@test "a fork that comes back out of the handler does not answer a second time" {
	start_ready
	n=$(put n=1 do=fork_returns)
	m=$(put n=2)
	wait_until 5 has_result "$m"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(status restarts)" = 0 ]
	journal_count '^begin 2 ' 1
}

@test "a handler that takes the signals: stopped and killed all the same" {
	start_ready
	n=$(put n=1 do=handlers)
	m=$(put n=2 do=run)
	wait_until 5 has_result "$m"
	wpid=$(worker_pid)
	stop_exo
	[ "$code" -eq 0 ]
	gone "$wpid"
}

# --- start of a worker ---

@test "start raises: backoff with the reason; repaired and HUP: ready" {
	printf '[participant]\n[test]\nstart = raise\n' >"$CONF"
	start_exo
	wait_until 10 state_is backoff
	[ "$(status reason)" = "RuntimeError: no database" ]
	wait_until 10 logged '^\[-\] RuntimeError: no database'
	[ "$(status workers)" = 0 ]
	wait_until 10 journal_count 'lifecycle start' 2
	state_is backoff
	n=$(put n=1)
	printf '[participant]\n' >"$CONF"
	kill -HUP "$exo"
	wait_until 5 has_result "$n"
	wait_until 5 ready
	[ -z "$(status reason)" ]
}

@test "a start that takes long and fails: while it is tried again, the reason is that of the time before" {
	rm "$H/sv/skynet-P1/code.py"
	cat >"$H/sv/skynet-P1/code.py" <<-EOF
		import os, time
		class ParticipantHandler:
		    def handle_wi(self, wid): pass
		    def handle_lifecycle_control(self, ctrl):
		        if ctrl.message == "start" and os.path.exists("$S/once"):
		            open("$S/again", "w").close()
		            time.sleep(60)
		        open("$S/once", "w").close()
		        raise RuntimeError("no licence")
	EOF
	start_exo
	wait_until 10 state_is backoff
	wait_until 10 test -e "$S/again"
	state_is backoff
	[ "$(status reason)" = "RuntimeError: no licence" ]
}

@test "a log_level that is none is reported and ignored" {
	printf '[skynet]\nlog_level = loud\n' >"$H/etc/P1.conf"
	start_ready
	logged "P1.conf:2: log_level: 'loud' is ignored, it is none of "
	n=$(put n=1)
	wait_until 5 has_result "$n"
}

@test "a bad import and a missing file: backoff with the last line of the traceback" {
	rm "$H/sv/skynet-P1/code.py"
	echo 'import nothing_like_it' >"$H/sv/skynet-P1/code.py"
	start_exo
	wait_until 10 state_is backoff
	[ "$(status reason)" = "ModuleNotFoundError: No module named 'nothing_like_it'" ]
	stop_exo
	[ "$code" -eq 0 ]
	rm "$H/sv/skynet-P1/code.py"
	start_exo
	wait_until 10 state_is backoff
	status reason | grep -q FileNotFoundError
}

@test "a worker that exits in start says so" {
	printf '[participant]\n[test]\nstart = exit\n' >"$CONF"
	start_exo
	wait_until 10 state_is backoff
	[ "$(status reason)" = "exited with code 5 in start: about to exit" ]
}

@test "a worker that crashes in start says where" {
	rm "$H/sv/skynet-P1/code.py"
	printf 'import os\nos.kill(os.getpid(), 11)\n' >"$H/sv/skynet-P1/code.py"
	start_exo
	wait_until 10 state_is backoff
	[ "$(status reason)" = "killed by signal 11 (SIGSEGV) in start: File \"$H/sv/skynet-P1/code.py\", line 2 in <module>" ]
}

@test "start hangs: killed after start_limit, counted" {
	printf '[participant]\nstart_limit = 1\n[test]\nstart = hang\n' >"$CONF"
	start_exo
	wait_until 10 state_is backoff
	status reason | grep -q 'start_limit'
	[ "$(status restarts)" -ge 1 ]
	stop_exo
	[ "$code" -eq 0 ]
}

# --- trouble with the disk ---

@test "no room for results: the workitem waits, is not run meanwhile, and is answered when there is room" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to mount"
	mount -t tmpfs -o size=4m tmpfs "$H/spool" || skip "cannot mount"
	export MOUNTED=$H/spool
	"$LIB/mkwi.py" home "$H" P1
	start_ready
	n=$(put n=1 do=big size=3000000 go=full)
	wait_until 10 journal '^begin 1 '
	dd if=/dev/zero of="$H/spool/full" bs=1k count=3000 status=none || true # half a result may lie there
	: >"$S/full"
	wait_until 10 state_is backoff
	wait_until 5 logged 'cannot be stored: No space left'
	status reason | grep -q 'No space'
	journal_count '^begin 1 ' 1
	rm "$H/spool/full"
	wait_until 30 has_result "$n"
	wait_until 5 ready
	journal_count '^begin 1 ' 2
	[ "$(header "$n" outcome)" = ok ]
	[ "$(header "$n" attempt)" = 1 ] # it was not the workitem's fault
}

# --- crashes of one of two workers: the other one does not notice ---

# crash_of_one DO TEXT: three attempts, each named in the log, an error reply; the neighbour and exo as before
crash_of_one()
{
	echo 'instances = 2' >>"$CONF"
	start_ready 2
	put n=other do=wait wait=go >/dev/null
	wait_until 20 journal '^begin other '
	other=$(awk '/^begin other/ { print $3 }' "$S/journal")
	n=$(put n=1 do="$1")
	wait_until 60 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" attempt)" = 3 ]
	field "$n" '["error"]["message"]' | grep -q "P1: worker $2 (3 attempts)"
	for i in 1 2 3; do grep -qF "name=$n attempt=$i: worker $2" "$LOG"; done
	journal_count '^begin 1 ' 3
	kill -0 "$other"
	: >"$S/go"
	wait_until 20 journal '^end other'
	wait_until 20 results 2
	wait_until 20 ready 2
	[ "$(status restarts)" = 3 ]
	kill -0 "$exo"
}

@test "SIGKILL from outside, as when memory runs out" {
	handler_with <<-'PY'
		def do_killed(self, f):
		    print("about to be killed")
		    subprocess.run(["sh", "-c", f"kill -KILL {os.getpid()}; sleep 600"])
	PY
	crash_of_one killed 'killed by signal 9 (SIGKILL)'
	[ "$(field "$n" '["error"]["trace"]')" = "['about to be killed']" ]
}

@test "a kill of the whole group" {
	handler_with <<-'PY'
		def do_group(self, f):
		    p = subprocess.Popen(["sleep", "600"])
		    open(os.path.join(STATE, "daemon.1"), "w").write(str(p.pid))
		    os.killpg(0, signal.SIGKILL)
	PY
	crash_of_one group 'killed by signal 9 (SIGKILL)'
	wait_until 5 gone "$(cat "$S/daemon.1")"
}

@test "a handler that closes every descriptor, its worker's sockets among them" {
	handler_with <<-'PY'
		def do_close_all(self, f):
		    os.closerange(3, 65536)
	PY
	crash_of_one close_all 'exited with code 111'
	field "$n" '["error"]["trace"]' | grep -q 'directories of its spool'
}

@test "a handler that closes every descriptor and opens others in their place" {
	handler_with <<-'PY'
		def do_close_all(self, f):
		    import socket
		    os.closerange(3, 65536)
		    self.sockets = [socket.socketpair() for _ in range(20)] # they would take what we say, and keep it
	PY
	crash_of_one close_all 'exited with code 111'
}

@test "a handler that closes what it finds below 60, as daemons do, and opens files there: nobody takes them for his own" {
	handler_with <<-'PY'
		mine = []
		def do_close_low(self, f):
		    os.closerange(3, 60)
		    os.makedirs(STATE + "/dir", exist_ok=True)
		    self.mine = [os.open(STATE + ("/dir" if i % 2 else f"/file.{i}"), os.O_RDONLY if i % 2 else os.O_RDWR | os.O_CREAT)
		                 for i in range(3, 60)]
		    assert self.mine == list(range(3, 60))
		    print("closed", f.n)
		    if os.fork() == 0:
		        try:
		            self.look()
		        finally:
		            os._exit(0 if self.whole else 1)
		    f.child = os.wait()[1]
		    self.look()
		def look(self):
		    self.whole = False
		    for i in self.mine:
		        assert os.path.samestat(os.fstat(i), os.stat(STATE + ("/dir" if i % 2 else f"/file.{i}"))), i
		    self.whole = True
		def do_look(self, f):
		    self.look()
		    print("looked", f.n)
	PY
	start_ready
	last=$(put n=0 do=close_low)
	wait_until 20 has_result "$last"
	for i in 1 2 3 4 5 6 7 8; do put n=$i do=look >/dev/null; last=$(put n=$i do=close_low); done
	wait_until 20 has_result "$last"
	wait_until 20 results 17
	[ "$(heads 'outcome: ok')" -eq 17 ]
	[ "$(heads 'attempt: 1')" -eq 17 ]
	[ "$(field "$last" '["fields"]["child"]')" = 0 ]
	[ "$(grep -c '^\[20261122-1028-renejayu-pobapeze 0_0_0\] \(closed\|looked\)' "$LOG")" -eq 17 ]
	[ -z "$(find "$S" -name 'file.*' -size +0)" ]
	[ -z "$(ls "$S/dir")" ]
	[ "$(status restarts)" = 0 ]
}

@test "a handler that closes every descriptor and opens directories in their place: nothing is written there" {
	handler_with <<-'PY'
		def do_close_all(self, f):
		    os.closerange(3, 4096)
		    os.makedirs(STATE + "/dir", exist_ok=True)
		    self.dirs = [os.open(STATE + "/dir", os.O_RDONLY) for _ in range(200)]
	PY
	crash_of_one close_all 'exited with code 111'
	[ -z "$(ls "$S/dir")" ]
	field "$n" '["error"]["trace"]' | grep -q 'directories of its spool'
}

@test "a handler that closes the descriptors above its worker's sockets: no room is waited for" {
	handler_with <<-'PY'
		def do_close_high(self, f):
		    os.closerange(64, 4096)
	PY
	crash_of_one close_high 'exited with code 111'
	field "$n" '["error"]["trace"]' | grep -q 'directories of its spool'
}

@test "a handler that closes its worker's sockets alone: what it did counts" {
	handler_with <<-'PY'
		def do_close_sockets(self, f):
		    os.closerange(60, 64)
	PY
	start_ready
	n=$(put n=1 do=close_sockets)
	wait_until 20 has_result "$n"
	wait_until 20 logged "name=$n attempt=1: had its answer when its worker ended"
	logged 'its socket to exo cannot be used any more'
	[ "$(header "$n" outcome)" = ok ]
	result_once "$n"
}

@test "a handler that opens directories in the place of its worker's: what waits next is not taken for gone" {
	handler_with <<-'PY'
		def do_replace(self, f):
		    os.makedirs(STATE + "/dir", exist_ok=True)
		    d = os.open(STATE + "/dir", os.O_RDONLY)
		    for fd in map(int, os.listdir("/proc/self/fd")):
		        try:
		            if os.readlink(f"/proc/self/fd/{fd}").endswith("/open"):
		                os.dup2(d, fd)
		        except FileNotFoundError:
		            pass
	PY
	start_ready
	n=$(put n=1 do=replace)
	wait_until 20 has_result "$n"
	n=$(put n=2)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	logged 'directories of its spool'
	not logged 'not there any more, or held'
}

@test "a question to a handler that has closed every descriptor: its worker says what it ended of" {
	handler_with <<-'PY'
		def do_close_all(self, f):
		    os.closerange(3, 4096)
		    open(STATE + "/closed", "w").close()
		    time.sleep(600)
	PY
	echo 'max_attempts = 1' >>"$CONF"
	start_ready
	n=$(put n=1 do=close_all)
	wait_until 20 test -e "$S/closed"
	"$LIB/ctl.py" "$H" P1 "status $n wait=500" >/dev/null
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	field "$n" '["error"]["trace"]' | grep -q 'socket'
}

@test "100 MB in one line: in pieces into the log, exo stays small and answers meanwhile" {
	sanitized && skip "sizes mean nothing under the sanitizers"
	handler_with <<-'PY'
		def do_flood(self, f):
		    chunk = b"x" * (1 << 20)
		    for i in range(100):
		        os.write(1, chunk)
	PY
	echo 'instances = 2' >>"$CONF"
	start_ready 2
	put n=other do=wait wait=go >/dev/null
	wait_until 20 journal '^begin other '
	n=$(put n=1 do=flood)
	wait_until 20 journal '^begin 1 '
	while ! has_result "$n"; do
		"$LIB/ctl.py" "$H" P1 'status wait=0' >/dev/null
		[ "$(rss_kb "$exo")" -lt 4000 ]
	done
	[ "$(header "$n" outcome)" = ok ]
	: >"$S/go"
	wait_until 20 results 2
	[ "$(grep -c '^\[20261122-1028-renejayu-pobapeze 0_0_0\] xxx' "$LOG")" = $((100 * 256)) ]
	[ "$(status restarts)" = 0 ]
}

@test "100 MB in one line, and then it crashes: the report is short" {
	handler_with <<-'PY'
		def do_flood(self, f):
		    for i in range(100):
		        os.write(1, b"x" * (1 << 20))
		    os.abort()
	PY
	echo 'max_attempts = 1' >>"$CONF"
	start_ready
	n=$(put n=1 do=flood)
	wait_until 60 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	[ "$(header "$n" length)" -lt 20000 ]
	field "$n" '["error"]["message"]' | grep -q SIGABRT
	m=$(put n=2)
	wait_until 20 has_result "$m"
}
