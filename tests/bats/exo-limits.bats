#!/usr/bin/env bats
# exo: time_limit, max_items, what a reload refuses, and how it ends whatever its handlers do.
# shellcheck disable=SC1091,SC2030,SC2031,SC2119,SC2154,SC2317

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
}

teardown() { exo_teardown; }

begun() { wait_until 20 journal "^begin $1 "; }

# --- time_limit ---

@test "time_limit: die, TERM to the whole group, an error reply with outcome timeout, not tried again" {
	echo 'time_limit = 2' >>"$CONF"
	handler_with <<-'PY'
		def do_too_long(self, f):
		    p = subprocess.Popen(["sleep", "600"])
		    open(os.path.join(STATE, "daemon.1"), "w").write(str(p.pid))
		    print("at it")
		    p.wait()
		    time.sleep(600)
	PY
	start_ready
	n=$(put n=1 do=too_long)
	m=$(put n=2)
	begun 1
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = timeout ]
	[ "$(header "$n" attempt)" = 1 ]
	[ "$(header "$n" send)" = reply ]
	[ "$(field "$n" '["error"]["message"]')" = 'P1: not done within time_limit (2 s)' ]
	[ "$(field "$n" '["error"]["trace"]')" = "['at it']" ]
	journal_count '^lifecycle die' 1
	wait_until 20 has_result "$m"
	[ "$(header "$m" attempt)" = 1 ]
	[ "$(header "$m" outcome)" = ok ]
	journal_count '^begin 1 ' 1
	gone "$(cat "$S/daemon.1")"
	[ "$(status restarts)" = 0 ]
	logged "name=$n attempt=1: time_limit of 2 s is over"
}

@test "time_limit: who ignores TERM is killed 2 s later" {
	echo 'time_limit = 1' >>"$CONF"
	handler_with <<-'PY'
		def do_ignore(self, f):
		    signal.signal(signal.SIGTERM, signal.SIG_IGN)
		    wait_for("never")
	PY
	start_ready
	n=$(put n=1 do=ignore)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = timeout ]
	logged 'does not end, killing it'
	wait_until 10 ready
}

@test "time_limit: a result that comes after it, and before the worker is killed, counts" {
	echo 'time_limit = 1' >>"$CONF"
	handler_with <<-'PY'
		def do_late(self, f):
		    signal.signal(signal.SIGTERM, lambda *_: journal("TERM"))
		    while open(os.path.join(STATE, "journal")).read().count("TERM") < (2 if f.silent else 1):
		        time.sleep(0.01)
		    f.late = True
		    if f.silent:
		        os.close(60)
	PY
	start_ready
	n=$(put n=1 do=late)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(field "$n" '["fields"]["late"]')" = True ]
	logged "name=$n attempt=1: time_limit of 1 s is over"
	m=$(put n=2)
	wait_until 20 has_result "$m"
	[ "$(header "$m" outcome)" = ok ]
	result_once "$n" # exo has not answered, too
	n=$(put n=3 do=late silent=true) # its worker dies of that, and cannot say that it was done
	wait_until 20 has_result "$n"
	wait_until 20 logged "name=$n attempt=1: had its answer when its worker ended"
	[ "$(header "$n" outcome)" = ok ]
	result_once "$n"
	[ "$(status restarts)" = 0 ]
}

@test "time_limit counts from the beginning of each workitem: many short ones are not one long one" {
	echo 'time_limit = 2' >>"$CONF"
	handler_with <<-'PY'
		def do_short(self, f):
		    time.sleep(0.4)
	PY
	start_ready
	for i in 1 2 3 4 5 6 7 8; do n=$(put n=$i do=short); done
	wait_until 30 results 8
	[ "$(heads 'outcome: ok')" = 8 ]
	not journal 'lifecycle die'
	# one timer that fires now and then, and none when there is nothing to do
	[ "$(status restarts)" = 0 ]
}

@test "time_limit: what waited ahead of it has all of its own time" {
	echo 'time_limit = 2' >>"$CONF"
	handler_with <<-'PY'
		def do_slow(self, f):
		    time.sleep(1.4)
	PY
	start_ready
	for i in 1 2 3; do n=$(put n=$i do=slow); done
	wait_until 30 results 3
	[ "$(heads 'outcome: ok')" = 3 ]
	[ "$(heads 'attempt: 1')" = 3 ]
}

@test "time_limit: its timer and the end of the work in one turn of exo, which goes on listening to the worker" {
	command -v strace >/dev/null || skip "no strace"
	echo 'time_limit = 10' >>"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=go)
	begun 1
	# The next time it would wait it is held up: then there is a packet to read, and the timer is due.
	strace -p "$exo" -o "$S/trace" -e trace=epoll_wait,epoll_pwait \
		-e inject=epoll_wait,epoll_pwait:delay_enter=6000000:when=1 2>"$S/strace" 3>&- &
	PIDS="$PIDS $!"
	wait_until 10 grep -q attached "$S/strace"
	m=$(put n=2) # wakes it, so that it comes to that
	touch "$S/go"
	wait_until 10 journal '^end 1$'
	wait_until 10 has_result "$n"
	wait_until 10 has_result "$m"
	o=$(put n=3)
	within 4 has_result "$o" # after 5 s its own timer would find it
	[ "$(header "$o" outcome)" = ok ]
	[ "$(status restarts)" = 0 ]
}

@test "a packet of no bytes from a worker is no reason to stop listening to it" {
	handler_with <<-'PY'
		def do_empty(self, f):
		    import socket
		    for fd in map(int, os.listdir("/proc/self/fd")):
		        try:
		            socket.socket(fileno=os.dup(fd)).send(b"")
		        except OSError:
		            pass # no socket
		    time.sleep(60) # what it did behind that would count if it were quicker than its end
	PY
	start_ready
	n=$(put n=1 do=empty)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	logged 'sent an empty packet'
	m=$(put n=2)
	wait_until 20 has_result "$m"
	[ "$(header "$m" outcome)" = ok ]
}

@test "time_limit: told to die, it finished in time: its result counts, and the worker is replaced" {
	echo 'time_limit = 8' >>"$CONF"
	handler_with <<-'PY'
		def handle_lifecycle_control(self, ctrl):
		    super().handle_lifecycle_control(ctrl)
		    self.dying = getattr(self, "dying", False) or ctrl.message == "die"
		def do_until_die(self, f):
		    while not self.dying:
		        time.sleep(0.01)
		    f.pid = os.getpid()
	PY
	start_ready
	old=$(worker_pid)
	n=$(put n=1 do=until_die)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	wait_until 10 new_worker "$old"
	wait_until 10 ready
	[ "$(status restarts)" = 0 ]
}

@test "time_limit and cancel: quiet stays quiet" {
	echo 'time_limit = 2' >>"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=never)
	begun 1
	"$LIB/ctl.py" "$H" P1 "cancel $n quiet=yes" >/dev/null
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome) $(header "$n" send)" = 'cancelled nothing' ]
}

@test "exo sleeps while a workitem runs, with a time_limit and without" {
	for limit in 0 3600; do
		echo "time_limit = $limit" >>"$CONF"
		start_ready
		n=$(put n=$limit do=wait wait=go$limit)
		begun $limit
		exo_asleep() { [ "$(sleeps "$exo")" = "$(sleep 0.5; sleeps "$exo")" ]; }
		wait_until 10 exo_asleep
		: >"$S/go$limit"
		wait_until 10 has_result "$n"
		stop_exo
	done
}

# --- max_items ---

@test "max_items: a worker is replaced after that many, in order, and nothing is a crash" {
	echo 'max_items = 3' >>"$CONF"
	start_ready
	for i in 1 2 3 4 5 6 7; do n=$(put n=$i); done
	wait_until 30 results 7
	[ "$(awk '/^begin/ { n[$3]++ } END { for (p in n) print n[p] }' "$S/journal" | sort | tr '\n' ' ')" = '1 3 3 ' ]
	[ "$(awk '/^begin/ { print $2 }' "$S/journal" | tr '\n' ' ')" = '1 2 3 4 5 6 7 ' ]
	journal_count '^lifecycle stop' 2
	[ "$(heads 'attempt: 1')" = 7 ]
	[ "$(status restarts)" = 0 ]
}

@test "max_items = 1 with two workers" {
	printf 'max_items = 1\ninstances = 2\n' >>"$CONF"
	start_ready 2
	for i in 1 2 3 4 5; do n=$(put n=$i); done
	wait_until 30 results 5
	[ "$(awk '/^begin/ { print $3 }' "$S/journal" | sort -u | wc -l)" = 5 ]
}

# --- reload ---

reloads() { [ "$(status reloads)" = "$1" ]; }

@test "HUP with code that does not load: the workers stay, and the status file says why" {
	handler_with <<-'PY'
		def do_version(self, f):
		    f.version = 1
	PY
	start_ready
	old=$(worker_pid)
	code=$H/sv/skynet-P1/code.py
	cp "$code" "$BATS_TEST_TMPDIR/good.py"
	i=0
	while read -r line want; do
		i=$((i + 1))
		printf '%b\n' "$line" >"$code"
		kill -HUP "$exo"
		wait_until 20 reloads $i
		status reload | grep -qF "$want"
		state_is ready
		[ "$(worker_pid)" = "$old" ]
	done <<-'EOF'
		import\tnothing_like_it ModuleNotFoundError: No module named 'nothing_like_it'
		def\tx(: SyntaxError
		x\x20=\x201 defines no class ParticipantHandler
		import\tos;os._exit(7) exited with code 7
		import\tos;os.abort() SIGABRT
		import\tsys;sys.exit(0) SystemExit
	EOF
	n=$(put n=1 do=version)
	wait_until 10 has_result "$n"
	[ "$(field "$n" '["fields"]["version"]')" = 1 ]
	sed 's/version = 1/version = 2/' "$BATS_TEST_TMPDIR/good.py" >"$code"
	kill -HUP "$exo"
	wait_until 20 reloads 7
	[ -z "$(status reload)" ]
	wait_until 20 new_worker "$old"
	n=$(put n=2 do=version)
	wait_until 20 has_result "$n"
	[ "$(field "$n" '["fields"]["version"]')" = 2 ]
	[ "$(status restarts)" = 0 ]
	journal_count '^lifecycle start' 2
	journal_count '^lifecycle stop' 1
}

@test "HUP: a configuration that is wrong, and code that hangs while it is loaded" {
	echo 'start_limit = 2' >>"$CONF"
	start_ready
	old=$(worker_pid)
	cp "$CONF" "$BATS_TEST_TMPDIR/good"
	echo 'instances = many' >>"$CONF"
	kill -HUP "$exo"
	wait_until 20 reloads 1
	status reload | grep -q "config.exo:[0-9]*: instances: 'many' is no number"
	cp "$BATS_TEST_TMPDIR/good" "$CONF"
	rm "$H/sv/skynet-P1/code.py"
	echo 'import time; time.sleep(600)' >"$H/sv/skynet-P1/code.py"
	kill -HUP "$exo"
	wait_until 20 reloads 2
	status reload | grep -q 'start_limit (2 s)'
	[ "$(worker_pid)" = "$old" ]
	n=$(put n=1)
	wait_until 10 has_result "$n"
	# one more that hangs, and the end while it does
	kill -HUP "$exo"
	two_processes() { [ "$(pgrep -P "$exo" | wc -l)" = 2 ]; }
	wait_until 10 two_processes
	stop_exo
	[ "$code" -eq 0 ]
}

@test "HUP again while the code is being looked at: it is looked at once more" {
	start_ready
	rm "$H/sv/skynet-P1/code.py"
	echo 'import time; time.sleep(600)' >"$H/sv/skynet-P1/code.py"
	old=$(worker_pid)
	kill -HUP "$exo"
	two_processes() { [ "$(pgrep -P "$exo" | wc -l)" = 2 ]; }
	wait_until 10 two_processes
	rm "$H/sv/skynet-P1/code.py"
	ln -s "$LIB/exo_handler.py" "$H/sv/skynet-P1/code.py"
	kill -HUP "$exo"
	wait_until 20 new_worker "$old"
	wait_until 20 ready
	reloads 1
	[ -z "$(status reload)" ]
}

# --- what production code does ---

ms() { echo $(($(date +%s%N) / 1000000)); }

# ends_in SECONDS: exo ends by itself, in order, in that time
ends_in()
{
	t=$(ms)
	stop_exo
	t=$(($(ms) - t))
	[ "$code" -eq 0 ]
	[ "$t" -lt $(($1 * 1000)) ]
}

awkward()
{
	handler_with <<-'PY'
		def handle_lifecycle_control(self, ctrl):
		    super().handle_lifecycle_control(ctrl)
		    if ctrl.message == "stop" and self.at_stop is not None:
		        self.at_stop()
		at_stop = None
		def hold(self):
		    import ctypes
		    ctypes.PyDLL(None).sleep(600)
		def do_hold(self, f):
		    self.hold()
		def do_ignore_signals(self, f):
		    for s in range(1, 65):
		        try:
		            signal.signal(s, signal.SIG_IGN)
		        except (OSError, ValueError):
		            pass
		    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
		    wait_for("never")
		def do_uninterruptible(self, f):
		    while True:
		        try:
		            wait_for("never")
		        except BaseException:
		            pass
		def do_thread(self, f):
		    import threading
		    threading.Thread(target=wait_for, args=("never",)).start()
		def do_hang_at_exit(self, f):
		    import atexit
		    atexit.register(wait_for, "never")
		def do_hang_in_stop(self, f):
		    self.at_stop = lambda: wait_for("never")
		def do_hold_in_stop(self, f):
		    self.at_stop = self.hold
		def do_exit_in_stop(self, f):
		    self.at_stop = lambda: sys.exit(3)
		def do_raise_in_stop(self, f):
		    self.at_stop = lambda: 1 / 0
		def do_own_group(self, f):
		    if os.fork() == 0:
		        os.setpgid(0, 0)
		        time.sleep(600)
		    wait_for("never")
		def do_alarm(self, f):
		    signal.signal(signal.SIGALRM, lambda *_: os.write(1, b"alarm\n"))  # print may be interrupted by itself
		    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
		    wait_for("never")
		def do_no_newline(self, f):
		    sys.stdout.write("no newline")
		    sys.stdout.flush()
		    wait_for("never")
		def do_replaced_streams(self, f):
		    sys.stdout = sys.stderr = None
		def do_chdir(self, f):
		    os.chdir("/")
		    os.umask(0o777)
		    os.environ.clear()
	PY
	printf 'grace = 2\nmax_attempts = 9\n' >>"$CONF"
}

@test "what still runs when grace is over is given back, whatever the handler did to signals, threads and the interpreter" {
	awkward
	for do in hold ignore_signals uninterruptible own_group alarm no_newline; do
		start_ready
		n=$(put n=$do do=$do)
		begun $do
		ends_in 4
		not has_result "$n"
		[ -z "$(ls "$W/cur")" ]
		wait_until 5 no_worker
		not in_hand "$n"
		rm "$H/spool/P1/open/$n"
	done
}
no_worker() { not pgrep -f "exo-python.* --home $H P1"; }

@test "what it left behind for the end: its workitem is answered and exo ends in time" {
	awkward
	for do in thread hang_at_exit hang_in_stop hold_in_stop exit_in_stop raise_in_stop replaced_streams chdir; do
		start_ready
		n=$(put n=$do do=$do)
		wait_until 20 has_result "$n"
		[ "$(header "$n" outcome)" = ok ]
		m=$(put n=after)
		wait_until 20 has_result "$m"
		ends_in 4
		[ "$(status restarts)" = 0 ]
		wait_until 5 no_worker
	done
}

@test "TERM under load, 50 times: exo ends in time, and every workitem is answered once" {
	handler_with <<-'PY'
		def do_load(self, f):
		    if int(f.n) % 40 == 0:
		        print("slow", end="")
		        time.sleep(0.2)
		    elif int(f.n) % 97 == 0:
		        raise SystemExit("enough")
	PY
	printf 'grace = 1\ninstances = 2\nmax_attempts = 3\n' >>"$CONF"
	/usr/bin/python3 - "$LIB" "$H" 3>&- <<-'PY' &
		import sys, time
		sys.path.insert(0, sys.argv[1])
		import mkwi
		for n in range(20000):
		    mkwi.store(sys.argv[2], "P1", {"n": n, "do": "load"})
		    time.sleep(0.005)
	PY
	feeder=$!
	PIDS="$PIDS $feeder"
	for i in $(seq 50); do
		start_exo
		sleep "0.$((i * 37 % 40 + 10))" # any moment: while it starts, while it works
		ends_in 3
	done
	kill "$feeder" 2>/dev/null || true
	wait "$feeder" || true
	start_ready 2
	all_answered() { results "$(find "$H/spool/P1/open" -type f | wc -l)"; }
	wait_until 60 all_answered
	stop_exo
	[ "$(heads 'outcome: crash')" = 0 ]
	[ "$(heads 'outcome: ok')" -gt 0 ]
}
