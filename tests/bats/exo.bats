#!/usr/bin/env bats
# exo and exo-python on real files, in a home made by hand: no bridge, no broker, no runsv.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
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
	mkdir -p "$H" "$S"
	: >"$LOG"
	"$LIB/mkwi.py" home "$H" P1
	W=$H/spool/P1/work
	CONF=$H/sv/skynet-P1/config.exo
	ln -s "$LIB/exo_handler.py" "$H/sv/skynet-P1/code.py"
	echo "TEST_STATE=$S" >"$H/etc/skynet.env"
	export PYTHONDONTWRITEBYTECODE=1
}

teardown()
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

status() { sed -n "s/^$1: //p" "$H/run/P1/status"; }
state_is() { [ "$(status state)" = "$1" ]; }
ready() { state_is ready && [ "$(status workers)" = "${1:-1}" ]; }
start_ready() { start_exo; wait_until 10 ready "${1:-1}"; }
put() { "$LIB/mkwi.py" put "$H" P1 "$@"; }
has_result() { [ -e "$W/result/new/$1" ]; }
results() { [ "$(find "$W/result/new" -type f | wc -l)" -eq "$1" ]; }
header() { sed -n "/^\$/q;s/^$2: //p" "$W/result/new/$1"; }
body() { sed '1,/^$/d' "$W/result/new/$1"; }
field() { body "$1" | /usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin); exec("print(d"+sys.argv[1]+")")' "$2"; }
logged() { grep -qE -- "$1" "$LOG"; }
journal() { grep -qE -- "$1" "$S/journal"; }
journal_count() { [ "$(grep -cE -- "$1" "$S/journal")" -eq "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }
worker_pid() { pgrep -P "$exo" -f exo-python | head -n 1; }
has_worker() { [ -n "$(worker_pid)" ]; }
new_worker() { has_worker && [ "$(worker_pid)" != "$1" ]; }
rss_kb() { awk '/^VmRSS/{print $2}' "/proc/$1/status"; }
# Ends exo and says with what code.
stop_exo() { kill -TERM "$exo"; code=0; wait "$exo" || code=$?; }

# --- running work ---

@test "a workitem is claimed, run, answered, and its file stays in cur for the bridge" {
	n=$(put n=1)
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(header "$n" send)" = reply ]
	[ "$(header "$n" attempt)" = 1 ]
	[ "$(header "$n" sha256)" = "$(body "$n" | sha256sum | cut -d' ' -f1)" ]
	[ "$(header "$n" length)" = "$(body "$n" | wc -c)" ]
	[ -e "$W/cur/$n,a1" ] && [ ! -e "$W/new/$n" ]
	n=$(put n=2)
	wait_until 5 has_result "$n"
	stop_exo
	[ "$code" -eq 0 ]
	state_is down
}

@test "workitems run oldest first, each once, more than the queue holds" {
	"$LIB/mkwi.py" many "$H" P1 2500 300
	start_ready
	wait_until 60 results 2500
	grep ^begin "$S/journal" | awk '{print $2}' >"$S/order"
	sort -n "$S/order" | cmp - "$S/order"
	[ "$(wc -l <"$S/order")" -eq 2500 ]
}

@test "a link and a rename into new are both seen at once" {
	start_ready
	n=$(put n=1)
	wait_until 3 has_result "$n"
	n=$(put n=2 do=wait wait=go)
	m=$(put n=3)
	k=$(put n=4)
	mv "$W/new/$k" "$S/k"
	: >"$S/go"
	wait_until 3 has_result "$m"
	mv "$S/k" "$W/new/$k"
	wait_until 3 has_result "$k"
}

@test "foreign names in new and cur are left alone" {
	: >"$W/new/README"
	: >"$W/cur/README"
	mkdir "$W/new/dir"
	start_ready
	n=$(put n=1)
	wait_until 5 has_result "$n"
	[ -e "$W/new/README" ] && [ -e "$W/cur/README" ] && [ -d "$W/new/dir" ]
}

@test "an exception and SystemExit are error replies, not deaths" {
	start_ready
	a=$(put n=1 do=raise)
	b=$(put n=2 do=system_exit)
	wait_until 5 has_result "$b"
	[ "$(header "$a" outcome)" = error ] && [ "$(header "$b" outcome)" = error ]
	[ "$(field "$a" '["error"]["message"]')" = "ValueError: bad thing" ]
	[ "$(field "$a" '["fields"]["changed"]')" = True ]
	[ "$(status restarts)" = 0 ]
}

@test "send_to_engine hands numbered messages over before the reply" {
	start_ready
	n=$(put n=1 do=send)
	wait_until 5 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(header "$n.m0001" send)" = message ]
	[ "$(field "$n.m0002" '["fields"]["second"]')" = True ]
	[ -z "$(ls "$W/result/tmp")" ]
}

@test "a workitem that is forgotten sends nothing" {
	start_ready
	n=$(put n=1 'params={"forget":true}')
	wait_until 5 has_result "$n"
	[ "$(header "$n" send)" = nothing ]
	c=$(put n=2 do=os_exit 'params={"forget":true}')
	wait_until 20 has_result "$c"
	[ "$(header "$c" send)" = nothing ] && [ "$(header "$c" outcome)" = crash ]
}

@test "a damaged file is taken out of cur and left to the bridge; the next one runs" {
	a=$(put n=1)
	b=$(put n=2)
	printf X | dd of="$H/spool/P1/open/$a" bs=1 seek=5 conv=notrunc status=none
	start_ready
	wait_until 5 has_result "$b"
	[ ! -e "$W/cur/$a,a1" ] && [ ! -e "$W/new/$a" ] && ! has_result "$a"
	logged "name=$a: .*damaged"
	[ -e "$H/spool/P1/open/$a" ]
}

@test "the participant's umask does not keep the bridge from reading" {
	start_ready
	a=$(put n=1 do=umask)
	b=$(put n=2)
	wait_until 5 has_result "$b"
	[ "$(stat -c %a "$W/result/new/$a")" = 644 ] && [ "$(stat -c %a "$W/result/new/$b")" = 644 ]
}

# --- output ---

@test "lines carry wfid and expid, [-] between workitems, partial lines are ended" {
	start_ready
	a=$(put n=1 do=partial text=half wfid=20261122-aaa)
	b=$(put n=2 do=print text=whole wfid=20261122-bbb)
	wait_until 5 has_result "$b"
	wait_until 5 logged '^\[20261122-aaa 0_0_0\] halferr$'
	logged '^\[20261122-bbb 0_0_0\] whole$'
	stop_exo
}

@test "control bytes and bad UTF-8 are escaped, good UTF-8 is not" {
	start_ready
	n=$(put n=1 do=bytes 'bytes=[97,27,91,51,109,9,13,255,194,155,195,169,0,98,10]')
	wait_until 5 has_result "$n"
	logged '^\[[^]]*\] a\\x1b\[3m\\x09\\x0d\\xff\\xc2\\x9bé\\x00b$'
}

@test "a forged tag is behind the true one" {
	start_ready
	n=$(put n=1 do=print 'text=[20261122-other 0_0_1] lie')
	wait_until 5 has_result "$n"
	logged '^\[20261122-1028-renejayu-pobapeze 0_0_0\] \[20261122-other 0_0_1\] lie$'
}

@test "long lines are split between characters, nothing is lost" {
	start_ready
	n=$(put n=1 do=long length=10001)
	wait_until 5 has_result "$n"
	[ "$(grep -c 'é' "$LOG")" -eq 5 ]
	[ "$(grep 'é' "$LOG" | sed 's/^\[[^]]*\] //' | tr -d '\n' | wc -m)" -eq 10001 ]
	! logged '\\x'
}

@test "ten thousand lines of ten workitems arrive whole, in order, with the right tag" {
	for i in 1 2 3 4 5 6 7 8 9 10; do put n="$i" do=many count=1000 wfid="w$i" >/dev/null; done
	start_ready
	wait_until 20 results 10
	for i in 1 2 3 4 5 6 7 8 9 10; do
		grep "^\[w$i 0_0_0\] line $i " "$LOG" | awk '{print $5}' >"$S/got"
		seq 0 999 | cmp - "$S/got"
	done
	[ "$(grep -c ' line ' "$LOG")" -eq 10000 ]
}

@test "a grandchild's late output carries the tag of the workitem that started it" {
	start_ready
	a=$(put n=1 do=daemon go=go wfid=w1)
	b=$(put n=2 do=print text=second wfid=w2)
	c=$(put n=3 do=daemon go=go wfid=w3)
	d=$(put n=4 do=print text=fourth wfid=w4)
	e=$(put n=5 do=run wfid=w5)
	wait_until 10 has_result "$e"
	"$LIB/mkwi.py" retire "$H" P1 "$a"
	: >"$S/go"
	wait_until 5 logged '^\[w1 0_0_0\] late 1$'
	wait_until 5 logged '^\[w3 0_0_0\] late 3$'
	logged '^\[w2 0_0_0\] second$' && logged '^\[w4 0_0_0\] fourth$' && logged '^\[w5 0_0_0\] ran 5$'
	[ "$(grep -c late "$LOG")" -eq 2 ]
}

@test "a child that is not waited for keeps its tag too" {
	start_ready
	a=$(put n=1 do=child go=go wfid=w1)
	b=$(put n=2 do=print text=second wfid=w2)
	c=$(put n=3 do=print text=third wfid=w3)
	wait_until 5 has_result "$c"
	: >"$S/go"
	wait_until 5 logged '^\[w1 0_0_0\] child 1$'
	logged '^\[w2 0_0_0\] second$' && logged '^\[w3 0_0_0\] third$'
}

@test "children that are waited for do not cost a pipe each" {
	start_ready
	for i in 1 2 3 4; do n=$(put n="$i" do=run); done
	wait_until 10 has_result "$n"
	# two pipes, two sockets and a copy, inotify, lock, directories, libev's two or three; no more than at start
	[ "$(find "/proc/$exo/fd" -type l -lname 'pipe:*' | wc -l)" -eq 2 ]
}

@test "a handler that closes stdout and stderr does not silence the next workitem" {
	start_ready
	a=$(put n=1 do=close)
	b=$(put n=2 do=run)
	wait_until 5 has_result "$b"
	wait_until 5 logged '\] ran 2$'
	[ "$(header "$b" outcome)" = ok ]
}

@test "a log that nobody reads does not stop the work, and the loss is counted" {
	mkfifo "$S/fifo"
	exec 7<>"$S/fifo"
	"$EXO" --home "$H" P1 >"$S/fifo" 2>&1 3>&- 7>&- &
	exo=$!
	PIDS="$PIDS $exo"
	wait_until 10 ready
	for i in $(seq 20); do n=$(put n="$i" do=many count=3000); done
	wait_until 40 has_result "$n"
	[ "$(rss_kb "$exo")" -le 4096 ]
	cat <&7 >"$LOG" 3>&- &
	reader=$!
	PIDS="$PIDS $reader"
	wait_until 5 logged '^warning: [0-9]+ lines dropped'
	n=$(put n=99 do=print text=back)
	wait_until 5 logged '\] back$'
	stop_exo
	[ "$code" -eq 0 ]
	kill "$reader"
	exec 7>&-
}

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
	logged "name=$n attempt=1: worker $2"
	wait_until 20 has_result "$m"
	[ "$(header "$m" attempt)" = 1 ]
	[ "$(status restarts)" = 3 ]
	[ -e "$W/cur/$n,a3" ] && [ ! -e "$W/cur/$n,a1" ]
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
	wait_until 3 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ] && [ "$(header "$n" outcome)" = ok ]
}

@test "attempts are counted although the participant renames its files" {
	start_ready
	n=$(put n=1 do=wait wait=never)
	for i in 1 2 3; do
		wait_until 20 journal_count '^begin 1 ' "$i"
		f=$(cd "$W/cur" && ls -- "$n",a*)
		[ "$f" = "$n,a1" ] || mv "$W/cur/$f" "$W/cur/$n,a1"
		kill -KILL "$(worker_pid)"
		# the rename hides it until somebody looks; put it where inotify sees it
		if [ "$i" -lt 3 ] && [ "$f" != "$n,a1" ]; then mv "$W/cur/$n,a1" "$W/new/$n"; fi
	done
	wait_until 40 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	journal_count '^begin 1 ' 3
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
	wait_until 5 test -e "$W/cur/$b,a1"
	: >"$S/go2"
	kill -KILL "$(worker_pid)"
	: >"$S/go"
	wait_until 10 has_result "$b"
	[ "$(header "$a" attempt)" = 2 ] && [ "$(header "$b" attempt)" = 1 ]
}

@test "what a worker leaves behind is killed with it, orphans of orphans too" {
	start_ready
	a=$(put n=1 do=daemon go=go)
	wait_until 5 has_result "$a"
	b=$(put n=2 do=daemon go=go)
	wait_until 5 has_result "$b"
	d1=$(cat "$S/daemon.1")
	d2=$(cat "$S/daemon.2")
	kill -0 "$d1" && kill -0 "$d2"
	kill -KILL "$(worker_pid)"
	wait_until 5 gone "$d1"
	wait_until 5 gone "$d2"
	[ -z "$(pgrep -P "$exo" -r Z)" ]
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
	[ "$code" -eq 0 ] && gone "$wpid"
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

@test "start hangs: killed after start_limit, counted" {
	printf '[participant]\nstart_limit = 1\n[test]\nstart = hang\n' >"$CONF"
	start_exo
	wait_until 10 state_is backoff
	status reason | grep -q 'start_limit'
	[ "$(status restarts)" -ge 1 ]
	stop_exo
	[ "$code" -eq 0 ]
}

# --- stop ---

@test "TERM: idle ends at once, with stop to the handler" {
	start_ready
	t=$(date +%s%N)
	stop_exo
	[ "$code" -eq 0 ]
	[ $((($(date +%s%N) - t) / 1000000)) -lt 2000 ]
	[ "$(grep -c 'lifecycle stop' "$S/journal")" -eq 1 ]
	state_is down && [ "$(status restarts)" = 0 ]
}

@test "TERM: running work is finished and answered, what was ahead goes back to new" {
	start_ready
	a=$(put n=1 do=stoppable)
	wait_until 5 journal '^begin 1 '
	b=$(put n=2)
	wait_until 5 test -e "$W/cur/$b,a1"
	stop_exo
	[ "$code" -eq 0 ]
	has_result "$a" && [ "$(field "$a" '["fields"]["stopped"]')" = True ]
	[ -e "$W/new/$b" ] && [ ! -e "$W/cur/$b,a1" ] && ! has_result "$b"
	start_ready
	wait_until 5 has_result "$b"
	[ "$(header "$b" attempt)" = 1 ]
}

@test "TERM: grace is kept, die comes first, the rest is resumed as attempt 2" {
	printf '[participant]\ngrace = 2\n' >"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	t=$(date +%s%N)
	stop_exo
	ms=$((($(date +%s%N) - t) / 1000000))
	[ "$code" -eq 0 ]
	[ "$ms" -ge 1500 ] && [ "$ms" -le 2000 ]
	journal 'lifecycle stop' && journal 'lifecycle die'
	[ -e "$W/cur/$n,a1" ]
	: >"$S/go"
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ]
}

@test "TERM during start and during backoff" {
	printf '[participant]\n[test]\nstart = raise\n' >"$CONF"
	start_exo
	wait_until 10 state_is backoff
	t=$(date +%s%N)
	stop_exo
	[ "$code" -eq 0 ]
	[ $((($(date +%s%N) - t) / 1000000)) -lt 2000 ]
}

@test "INT twice kills at once" {
	start_ready
	n=$(put n=1 do=wait wait=never)
	wait_until 5 journal '^begin 1 '
	kill -INT "$exo"
	wait_until 5 state_is stopping
	kill -INT "$exo"
	t=$(date +%s%N)
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 0 ] && [ $((($(date +%s%N) - t) / 1000000)) -lt 2000 ]
	[ -e "$W/cur/$n,a1" ]
}

@test "a daemon of a handler does not outlive exo" {
	start_ready
	n=$(put n=1 do=daemon go=go)
	wait_until 5 has_result "$n"
	d=$(cat "$S/daemon.1")
	kill -0 "$d"
	stop_exo
	wait_until 2 gone "$d"
}

# --- crash of exo, two of them ---

@test "kill -9 of exo: its worker ends, the next exo resumes as attempt 2 and counts the restart" {
	start_ready
	n=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	wpid=$(worker_pid)
	kill -KILL "$exo"
	wait "$exo" || true
	wait_until 5 gone "$wpid"
	: >"$S/go"
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ]
	[ "$(status restarts)" = 1 ]
}

@test "what kill -9 of exo leaves past max_attempts is answered with an error" {
	printf '[participant]\nmax_attempts = 1\n' >"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	kill -KILL "$exo"
	wait "$exo" || true
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	journal_count '^begin 1 ' 1
}

@test "a half result in tmp is swept at start, a result in new is not run again" {
	n=$(put n=1)
	start_ready
	wait_until 5 has_result "$n"
	stop_exo
	: >"$W/result/tmp/$n,a1"
	start_ready
	m=$(put n=2)
	wait_until 5 has_result "$m"
	[ -z "$(ls "$W/result/tmp")" ]
	journal_count '^begin 1 ' 1
}

@test "two exos on one spool: the second waits, and takes over when the first has ended" {
	start_ready
	first=$exo
	n=$(put n=1 do=stoppable)
	wait_until 5 journal '^begin 1 '
	start_exo
	second=$exo
	wait_until 5 logged 'waiting for the lock'
	[ "$(status pid)" = "$first" ]
	m=$(put n=2)
	wait_until 5 test -e "$W/cur/$m,a1"
	kill -TERM "$first"
	wait "$first"
	wait_until 10 has_result "$m"
	[ "$(status pid)" = "$second" ]
	journal_count '^begin 1 ' 1 && journal_count '^begin 2 ' 1
	exo=$first
	start_exo
	kill -TERM "$exo"
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 0 ]
	[ "$(status pid)" = "$second" ]
}

@test "a new exo waits for a worker that outlived the old one" {
	start_ready
	wpid=$(worker_pid)
	kill -STOP "$wpid"
	: >"$S/x"
	# a process that holds the lock as a worker does
	flock "$H/run/P1/lock" true & # waits
	PIDS="$PIDS $!"
	kill -KILL "$exo"
	wait "$exo" || true
	wait_until 5 gone "$wpid"
}

@test "the directories of the spool are replaced: exo ends with 111" {
	start_ready
	mv "$W/new" "$W/old"
	mkdir "$W/new"
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 111 ]
	state_is down && [ "$(status code)" = 111 ]
}

# --- configuration ---

@test "bad configuration: exit 78, config-error with file and line" {
	printf '[participant]\ninstances = many\n' >"$CONF"
	start_exo
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 78 ]
	state_is config-error
	status reason | grep -q "config.exo:2: "
	[ "$(status code)" = 78 ]
}

@test "HUP with a bad configuration keeps the old one and says why" {
	start_ready
	old=$(worker_pid)
	printf '[participant]\ninstances = many\n' >"$CONF"
	kill -HUP "$exo"
	wait_until 5 logged 'config.exo:2: '
	n=$(put n=1)
	wait_until 5 has_result "$n"
	[ "$(worker_pid)" = "$old" ]
}

@test "HUP under load: nothing lost, nothing twice, the code is new" {
	"$LIB/mkwi.py" many "$H" P1 1500 300
	start_ready
	for i in 1 2 3; do
		wait_until 30 test "$(wc -l <"$S/journal")" -ge $((i * 100))
		old=$(worker_pid)
		kill -HUP "$exo"
		wait_until 10 new_worker "$old"
	done
	wait_until 60 results 1500
	[ "$(grep -c '^begin' "$S/journal")" -eq 1500 ]
	[ "$(grep '^begin' "$S/journal" | awk '{print $2}' | sort -u | wc -l)" -eq 1500 ]
	[ "$(grep '^begin' "$S/journal" | awk '{print $3}' | sort -u | wc -l)" -ge 2 ]
	[ "$(status restarts)" = 0 ]
}

@test "HUP: a busy worker finishes, what is ahead goes to the new one" {
	start_ready
	a=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	b=$(put n=2)
	wait_until 5 test -e "$W/cur/$b,a1"
	kill -HUP "$exo"
	wait_until 5 logged 'replacing the workers'
	: >"$S/go"
	wait_until 10 has_result "$b"
	journal_count '^begin 1 ' 1 && journal_count '^begin 2 ' 1
	[ "$(header "$a" attempt)" = 1 ] && [ "$(header "$b" attempt)" = 1 ]
	[ "$(awk '/^begin 1 /{print $3}' "$S/journal")" != "$(awk '/^begin 2 /{print $3}' "$S/journal")" ]
	[ "$(grep -c 'lifecycle stop' "$S/journal")" -eq 1 ]
}

@test "HUP changes the number of workers" {
	start_ready
	printf '[participant]\ninstances = 3\n' >"$CONF"
	kill -HUP "$exo"
	wait_until 10 ready 3
	printf '[participant]\ninstances = 1\n' >"$CONF"
	kill -HUP "$exo"
	wait_until 10 ready 1
	[ "$(pgrep -P "$exo" -c -f exo-python)" -eq 1 ]
}

@test "the environment: files, HOME, directory; malformed lines are reported" {
	printf 'A=1\nexport B = 2\nexport C="x y"\n# no\nnonsense\n' >>"$H/etc/skynet.env"
	printf 'A=own\n' >"$H/etc/P1.env"
	start_ready
	n=$(put n=1 do=env)
	wait_until 5 has_result "$n"
	[ "$(field "$n" '["fields"]["env"]["A"]')" = own ]
	[ "$(field "$n" '["fields"]["env"]["C"]')" = '"x y"' ]
	[ "$(field "$n" '["fields"]["env"]["SKYNET_PARTICIPANT"]')" = P1 ]
	[ "$(field "$n" '["fields"]["env"]["USER"]')" = "$(id -un)" ]
	[ "$(field "$n" '["fields"]["cwd"]')" = "$H/sv/skynet-P1" ]
	logged "skynet.env:3: malformed"
	logged "skynet.env:6: malformed"
}

@test "children of a handler inherit no descriptors and no blocked or ignored signals" {
	start_ready
	n=$(put n=1 do=signals)
	wait_until 5 has_result "$n"
	field "$n" '["fields"]["signals"]' | awk '$2 !~ /^0+$/{bad=1} END{exit bad}'
	[ "$(field "$n" '["fields"]["fds"].split()')" = "['0', '1', '2', '3']" ]
}

# --- several workers ---

@test "instances=3 run at the same time; what is ahead of a busy one goes to an idle one" {
	printf '[participant]\ninstances = 3\n' >"$CONF"
	start_ready 3
	for i in 1 2 3; do put n="$i" do=wait wait="go$i" >/dev/null; done
	wait_until 5 journal_count '^begin' 3
	d=$(put n=4 do=wait wait=go4)
	e=$(put n=5 do=wait wait=go5)
	f=$(put n=6 do=wait wait=go6)
	wait_until 5 test -e "$W/cur/$f,a1"
	journal_count '^begin' 3
	: >"$S/go1"
	wait_until 5 journal_count '^begin' 4
	for i in 4 5 6; do : >"$S/go$i"; done
	# workers 2 and 3 are still busy: all three went through the first one
	wait_until 10 has_result "$f"
	has_result "$d" && has_result "$e"
	journal_count '^end' 4
	: >"$S/go2"
	: >"$S/go3"
	wait_until 5 results 6
	[ "$(header "$f" attempt)" = 1 ]
}

# --- trouble with the disk ---

@test "no room for results: the workitem waits, is not run meanwhile, and is answered when there is room" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to mount"
	mount -t tmpfs -o size=4m tmpfs "$H/spool" || skip "cannot mount"
	MOUNTED=$H/spool
	"$LIB/mkwi.py" home "$H" P1
	start_ready
	n=$(put n=1 do=big size=3000000)
	dd if=/dev/zero of="$H/spool/full" bs=1k count=3000 status=none
	wait_until 5 state_is backoff
	wait_until 5 logged 'cannot be stored: No space left'
	status reason | grep -q 'No space'
	wait_until 5 test "$(grep -c '^begin 1' "$S/journal")" -ge 1
	journal_count '^begin 1 ' 1
	rm "$H/spool/full"
	wait_until 10 has_result "$n"
	wait_until 5 ready
	journal_count '^begin 1 ' 2
	[ "$(header "$n" outcome)" = ok ]
}

# --- size and rest ---

@test "exo stays within 3 MiB, and sleeps when idle" {
	start_ready
	"$LIB/mkwi.py" many "$H" P1 1000 1000
	wait_until 20 results 1000
	case $(readelf -d "$EXO") in *libasan*) skip "sanitizers" ;; esac
	[ "$(rss_kb "$exo")" -le 3072 ]
	! readelf -d "$EXO" | grep -E 'NEEDED.*(crypto|python|ssl)'
	before=$(awk '/^voluntary/{print $2}' "/proc/$exo/status")
	sleep 4 # the one place that measures rest
	after=$(awk '/^voluntary/{print $2}' "/proc/$exo/status")
	[ $((after - before)) -le 1 ]
	[ "$(cat "/proc/$(worker_pid)"/task/*/status | awk '/^voluntary/{n+=$2} END{print n}')" -gt 0 ]
}
