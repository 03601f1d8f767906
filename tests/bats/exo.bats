#!/usr/bin/env bats
# exo and exo-python on real files: work, output, several workers, sizes.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
}

teardown() { exo_teardown; }

# --- running work ---

@test "a workitem is claimed, run, answered, and stays in open/ for the bridge; no note of it is left" {
	n=$(put n=1)
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(header "$n" send)" = reply ]
	[ "$(header "$n" attempt)" = 1 ]
	[ "$(header "$n" sha256)" = "$(body "$n" | sha256sum | cut -d' ' -f1)" ]
	[ "$(header "$n" length)" = "$(body "$n" | wc -c)" ]
	wait_until 5 unnoted "$n"
	[ -e "$H/spool/P1/open/$n" ]
	not in_hand "$n"
	n=$(put n=2)
	wait_until 5 has_result "$n"
	stop_exo
	[ "$code" -eq 0 ]
	state_is down
}

@test "the worker's JSON encoder writes what json would, byte for byte" {
	ln -sf "$LIB/encode_handler.py" "$H/sv/skynet-P1/code.py"
	n=$(put n=1)
	start_ready
	wait_until 20 has_result "$n"
	body "$n"
	[ "$(header "$n" outcome)" = ok ]
}

@test "the worker's JSON decoder reads what json would, and leaves it the rest" {
	handler_with <<-'E'
		def handle_wi(self, wid):
		    import decode_handler
		    decode_handler.ParticipantHandler().handle_wi(wid)
	E
	n=$(put n=1 text=ä)
	start_ready
	wait_until 20 has_result "$n"
	body "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(field "$n" "['fields']['text']")" = ä ]
}

@test "workitems run oldest first, each once, more than the queue holds" {
	"$LIB/mkwi.py" many "$H" P1 2500 300
	start_ready
	wait_until 60 results 2500
	grep ^begin "$S/journal" | awk '{print $2}' >"$S/order"
	sort -n "$S/order" | cmp - "$S/order"
	[ "$(wc -l <"$S/order")" -eq 2500 ]
}

@test "a file written and a file renamed into open/ are both seen at once; one that is not there when its turn comes is gone" {
	start_ready
	n=$(put n=1)
	wait_until 3 has_result "$n"
	n=$(put n=2 do=wait wait=go)
	for i in 1 2 3 4 5 6 7; do m=$(put n=3); done # as many as may be ahead: the next one waits with exo
	k=$(put n=4)
	mv "$H/spool/P1/open/$k" "$S/k"
	: >"$S/go"
	wait_until 3 has_result "$m"
	wait_until 3 logged "name=$k: is not there any more"
	not has_result "$k"
	mv "$S/k" "$H/spool/P1/open/$k"
	wait_until 3 has_result "$k"
	[ "$(header "$k" attempt)" = 1 ]
	unnoted "$k"
}

@test "foreign names in open/ and cur/ are left alone" {
	: >"$H/spool/P1/open/README"
	: >"$W/cur/README"
	mkdir "$H/spool/P1/open/dir"
	start_ready
	n=$(put n=1)
	wait_until 5 has_result "$n"
	[ -e "$H/spool/P1/open/README" ]
	[ -e "$W/cur/README" ]
	[ -d "$H/spool/P1/open/dir" ]
}

@test "an exception and SystemExit are error replies, not deaths" {
	start_ready
	a=$(put n=1 do=raise)
	b=$(put n=2 do=system_exit)
	wait_until 5 has_result "$b"
	[ "$(header "$a" outcome)" = error ]
	[ "$(header "$b" outcome)" = error ]
	[ "$(field "$a" '["error"]["message"]')" = "ValueError: bad thing" ]
	[ "$(field "$a" '["fields"]["changed"]')" = True ]
	[ "$(status restarts)" = 0 ]
}

@test "send_to_engine hands numbered messages over before the reply" {
	start_ready
	n=$(put n=1 do=send)
	wait_until 5 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	"$LIB/answer.py" --head --message 1 "$W/result" "$n" | grep -qx 'send: message'
	"$LIB/answer.py" --message 2 "$W/result" "$n" | grep -q '"second":true'
	[ "$(cat "$W"/result/* | grep -a '^message: ' | tr '\n' ' ')" = 'message: 1 message: 2 ' ]
	[ "$(cat "$W"/result/* | grep -a '^send: ' | tail -n 1)" = 'send: reply' ]
	n=$(put n=2 do=send) # each has numbers of its own
	wait_until 5 has_result "$n"
	"$LIB/answer.py" --message 1 "$W/result" "$n" | grep -q '"n":2'
	[ "$(find "$W/result" -type f | wc -l)" -eq 1 ]
}

@test "messages from many threads: each whole, numbered in their order, and none behind the reply" {
	handler_with <<-'PY'
		def do_threads(self, f):
		    import threading
		    def send():
		        try:
		            while True:
		                self.send_to_engine({"fei": {}, "fields": {"pad": "x" * 20000}})
		                self.sent += 1
		        except OSError as e:
		            journal(f"refused {e.errno}")
		    self.sent = 0
		    for _ in range(8):
		        threading.Thread(target=send).start()
		    while self.sent < 200:
		        time.sleep(0.001)
		def do_forked(self, f):
		    if os.fork() == 0:
		        try:
		            self.send_to_engine({"fei": {}, "fields": {}})
		        except ValueError:
		            links = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
		            ours = [to for fd, to in links.items() if fd in ("60", "61", "63") or to.endswith(".results") or "/open/" in to]
		            journal(f"forked refused, has {ours} of more than {min(len(links), 5)}")
		        os._exit(0)
		    os.wait()
	PY
	start_ready
	n=$(put n=1 do=threads)
	wait_until 20 has_result "$n"
	wait_until 10 journal_count "^refused 22$" 8 # EINVAL
	cat "$W"/result/* | grep -a '^message: ' | cut -d' ' -f2 >"$S/numbers"
	[ "$(wc -l <"$S/numbers")" -ge 200 ]
	seq "$(wc -l <"$S/numbers")" | cmp - "$S/numbers"
	[ "$(cat "$W"/result/* | grep -a '^send: ' | tail -n 1)" = 'send: reply' ]
	result_once "$n"
	n=$(put n=2 do=forked)
	wait_until 20 has_result "$n"
	journal '^forked refused, has \[\] of more than 5$' # nor our journal, and a lock on it
	not "$LIB/answer.py" --message 1 "$W/result" "$n"
	[ "$(status restarts)" = 0 ]
}

@test "what the handler left in the workitem goes before the answer: its __del__ may print, send and start something" {
	handler_with <<-'PY'
		def do_leave(self, f):
		    me, send = os.getpid(), self.send_to_engine
		    class Left(str):
		        def __del__(self):
		            if os.getpid() != me:
		                return
		            try:
		                send({"fei": {}, "fields": {"left": str(self)}})
		                journal("sent")
		            except OSError as e:
		                journal(f"refused {e.errno}")
		            import atexit
		            atexit.register(journal, f"end of {me}" )
		            os.fork() or journal("forked")
		    f.left = Left("behind")
	PY
	start_ready
	n=$(put n=1 do=leave)
	wait_until 10 has_result "$n"
	[ "$(field "$n" '["fields"]["left"]')" = behind ]
	wait_until 10 journal '^forked$'
	m=$(put n=2)
	wait_until 10 has_result "$m"
	journal_count '^sent$' 1
	"$LIB/answer.py" --message 1 "$W/result" "$n" | grep -q '"left":"behind"'
	stop_exo
	journal_count '^end of' 1 # the worker's, and not the child's
}

@test "a journal that was unlinked is left, and so is one whose descriptor the handler has closed: its own files stay its own" {
	handler_with <<-'PY'
		def do_close_journal(self, f):
		    for fd in map(int, os.listdir("/proc/self/fd")):
		        try:
		            if os.readlink(f"/proc/self/fd/{fd}").endswith(".results"):
		                os.dup2(os.open(STATE + "/mine", os.O_RDWR | os.O_CREAT), fd)
		                self.mine = fd
		        except FileNotFoundError:
		            pass
		def do_is_it_mine(self, f):
		    f.mine = os.fstat(self.mine).st_ino == os.stat(STATE + "/mine").st_ino
	PY
	start_ready
	n=$(put n=1)
	wait_until 10 has_result "$n"
	rm "$W"/result/*
	n=$(put n=2)
	wait_until 10 has_result "$n"
	n=$(put n=3 do=close_journal)
	wait_until 10 has_result "$n"
	m=$(put n=4 do=is_it_mine)
	wait_until 10 has_result "$m"
	[ "$(field "$m" '["fields"]["mine"]')" = True ]
	[ ! -s "$S/mine" ]
	[ "$(find "$W/result" -type f | wc -l)" -eq 2 ]
	[ "$(status restarts)" = 0 ]
}

@test "a workitem that is forgotten sends nothing" {
	start_ready
	n=$(put n=1 'params={"forget":true}')
	wait_until 5 has_result "$n"
	[ "$(header "$n" send)" = nothing ]
	c=$(put n=2 do=os_exit 'params={"forget":true}')
	wait_until 20 has_result "$c"
	[ "$(header "$c" send)" = nothing ]
	[ "$(header "$c" outcome)" = crash ]
}

@test "a damaged file is left to the bridge, neither locked nor noted; the next one runs" {
	a=$(put n=1)
	b=$(put n=2)
	printf X | dd of="$H/spool/P1/open/$a" bs=1 seek=5 conv=notrunc status=none
	start_ready
	wait_until 5 has_result "$b"
	unnoted "$a"
	not in_hand "$a"
	not has_result "$a"
	logged "name=$a: .*damaged"
	[ -e "$H/spool/P1/open/$a" ]
}

@test "the participant's umask does not keep the bridge from reading" {
	start_ready
	a=$(put n=1 do=umask)
	b=$(put n=2)
	wait_until 5 has_result "$b"
	has_result "$a"
	[ "$(stat -c %a "$W"/result/* | sort -u)" = 644 ]
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
	run grep -F '\x' "$LOG"
	[ "$status" -eq 1 ]
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
	logged '^\[w2 0_0_0\] second$'
	logged '^\[w4 0_0_0\] fourth$'
	logged '^\[w5 0_0_0\] ran 5$'
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
	logged '^\[w2 0_0_0\] second$'
	logged '^\[w3 0_0_0\] third$'
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
	sanitized || [ "$(rss_kb "$exo")" -le 4096 ]
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

# --- several workers ---

@test "instances=3 run at the same time; what is ahead of a busy one goes to an idle one" {
	printf '[participant]\ninstances = 3\n' >"$CONF"
	start_ready 3
	for i in 1 2 3; do put n="$i" do=wait wait="go$i" >/dev/null; done
	wait_until 5 journal_count '^begin' 3
	d=$(put n=4 do=wait wait=go4)
	e=$(put n=5 do=wait wait=go5)
	f=$(put n=6 do=wait wait=go6)
	wait_until 5 ahead "$f"
	journal_count '^begin' 3
	: >"$S/go1"
	wait_until 5 journal_count '^begin' 4
	for i in 4 5 6; do : >"$S/go$i"; done
	# workers 2 and 3 are still busy: all three went through the first one
	wait_until 10 has_result "$f"
	has_result "$d"
	has_result "$e"
	journal_count '^end' 4
	: >"$S/go2"
	: >"$S/go3"
	wait_until 5 results 6
	[ "$(header "$f" attempt)" = 1 ]
}

# --- size and rest ---

@test "exo stays within 3 MiB, its worker within 15, and both sleep when idle" {
	! sanitized || skip "sanitizers"
	rm "$H/sv/skynet-P1/code.py"
	printf 'class ParticipantHandler:\n    def handle_wi(self, wid):\n        pass\n' >"$H/sv/skynet-P1/code.py"
	start_ready
	"$LIB/mkwi.py" many "$H" P1 1000 1000
	wait_until 20 results 1000
	wpid=$(worker_pid)
	[ "$(rss_kb "$exo")" -le 3072 ]
	[ "$(rss_kb "$wpid")" -le 15360 ]
	run readelf -d "$EXO"
	[[ ! $output =~ NEEDED[^$'\n']*(crypto|nettle|python|ssl) ]]
	wait_until 5 asleep
	before=$(sleeps "$exo" "$wpid")
	sleep 4 # the one place that measures rest
	[ $(($(sleeps "$exo" "$wpid") - before)) -le 1 ]
}
