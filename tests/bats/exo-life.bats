#!/usr/bin/env bats
# exo: stop, crash, two of them, configuration.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
}

teardown() { exo_teardown; }

# --- stop ---

@test "TERM: idle ends at once, with stop to the handler" {
	start_ready
	t=$(date +%s%N)
	stop_exo
	[ "$code" -eq 0 ]
	[ $((($(date +%s%N) - t) / 1000000)) -lt 5000 ] # grace is 30 s
	[ "$(grep -c 'lifecycle stop' "$S/journal")" -eq 1 ]
	state_is down
	[ "$(status restarts)" = 0 ]
}

@test "TERM: running work is finished and answered, what was ahead waits as if it had not been" {
	start_ready
	a=$(put n=1 do=stoppable)
	wait_until 5 journal '^begin 1 '
	b=$(put n=2)
	wait_until 5 ahead "$b"
	wait_until 5 noted "$a" 1
	unnoted "$b"
	stop_exo
	[ "$code" -eq 0 ]
	has_result "$a"
	[ "$(field "$a" '["fields"]["stopped"]')" = True ]
	unnoted "$a"
	unnoted "$b"
	not in_hand "$b"
	not has_result "$b"
	start_ready
	wait_until 5 has_result "$b"
	[ "$(header "$b" attempt)" = 1 ]
}

@test "TERM: grace is kept, die comes first, the rest is resumed and this attempt did not count" {
	printf '[participant]\ngrace = 2\n' >"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	wait_until 5 noted "$n" 1
	t=$(date +%s%N)
	stop_exo
	ms=$((($(date +%s%N) - t) / 1000000))
	[ "$code" -eq 0 ]
	[ "$ms" -ge 1400 ]
	[ "$ms" -le 2000 ]
	journal 'lifecycle stop'
	journal 'lifecycle die'
	unnoted "$n"
	not in_hand "$n"
	[ "$(status restarts)" = 0 ]
	: >"$S/go"
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" attempt)" = 1 ]
}

@test "orderly ends cost no attempt, however many; a kill -9 does, and so does a worker that dies by itself meanwhile" {
	printf '[participant]\ngrace = 1\n' >"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=never)
	wait_until 10 journal_count '^begin 1 ' 1
	wait_until 10 noted "$n" 1
	kill -KILL "$exo" # attempt 1
	wait "$exo" || true
	for i in 2 3 4; do
		start_ready
		wait_until 20 journal_count '^begin 1 ' "$i"
		noted "$n" 2
		stop_exo
		[ "$code" -eq 0 ]
		noted "$n" 1
	done
	start_ready
	wait_until 20 journal_count '^begin 1 ' 5
	wpid=$(worker_pid)
	kill -STOP "$exo"
	kill -TERM "$exo"
	kill -ABRT "$wpid"
	kill -CONT "$exo"
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 0 ]
	noted "$n" 2 # it counted, whichever signal came first
	start_ready
	wait_until 20 journal_count '^begin 1 ' 6
	noted "$n" 3
	stop_exo
}

@test "a handler that ends its own exo again and again is not resumed for ever" {
	printf '[participant]\ngrace = 0\nmax_attempts = 2\n' >"$CONF"
	handler_with <<-'PY'
		def do_end_exo(self, f):
		    os.kill(os.getppid(), signal.SIGTERM)
		    wait_for("never")
	PY
	n=$(put n=1 do=end_exo)
	start_exo
	wait "$exo"
	[ "$(cat "$H/run/P1/cut-short")" = "1 $n" ]
	unnoted "$n"
	printf 'nonsense\n98 %s\n7 another\n' "$n" >"$H/run/P1/cut-short"
	for end in 99 100 101 102; do
		start_exo
		wait "$exo"
		grep -qx "$end $n" "$H/run/P1/cut-short"
	done
	noted "$n" 2 # two attempts count now
	start_ready
	wait_until 10 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	journal_count '^begin 1 ' 5
	grep -qx '7 another' "$H/run/P1/cut-short"
}

@test "TERM during start and during backoff" {
	printf '[participant]\n[test]\nstart = raise\n' >"$CONF"
	start_exo
	wait_until 10 state_is backoff
	t=$(date +%s%N)
	stop_exo
	[ "$code" -eq 0 ]
	[ $((($(date +%s%N) - t) / 1000000)) -lt 5000 ] # grace is 30 s
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
	[ "$code" -eq 0 ]
	[ $((($(date +%s%N) - t) / 1000000)) -lt 5000 ] # grace is 30 s
	unnoted "$n"
	not has_result "$n"
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
	wait_until 5 noted "$n" 1
	wpid=$(worker_pid)
	kill -KILL "$exo"
	wait "$exo" || true
	wait_until 5 gone "$wpid"
	: >"$S/go"
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ]
	[ "$(status restarts)" = 1 ]
	wait_until 5 unnoted "$n"
}

@test "what kill -9 of exo leaves past max_attempts is answered with an error" {
	printf '[participant]\nmax_attempts = 1\n' >"$CONF"
	start_ready
	n=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	wait_until 5 noted "$n" 1
	kill -KILL "$exo"
	wait "$exo" || true
	start_ready
	wait_until 5 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	journal_count '^begin 1 ' 1
}

@test "at the start: what is answered is not run again; half an answer, or a message, is none" {
	n=$(put n=1)
	start_ready
	wait_until 5 has_result "$n"
	stop_exo
	a=$(put n=2)
	b=$(put n=3)
	ln -s "../../open/$a" "$W/cur/$a,a1"
	ln -s "../../open/$b" "$W/cur/$b,a1"
	"$LIB/answer.py" --add ok "$S" "$a" 'cut short'
	head -c -1 "$S"/*.results >"$W/result/20261122T105443.865116-1.results"
	rm "$S"/*.results
	"$LIB/answer.py" --add ok "$S" "$b" 'only a message'
	sed 's/^send: .*/send: message/;s/^workitem: .*/&\nmessage: 1/' "$S"/*.results >"$W/result/20261122T105443.865117-1.results"
	start_ready
	wait_until 5 has_result "$b"
	wait_until 5 has_result "$a"
	[ "$(header "$a" attempt)" = 2 ]
	[ "$(header "$b" attempt)" = 2 ]
	journal_count '^begin 1 ' 1
	results 3
}

@test "unfinished workitems are resumed also behind thousands of finished ones" {
	# As when the broker is away: results wait, so everything stays in open/.
	printf '[participant]\ninstances = 5\n' >"$CONF"
	"$LIB/mkwi.py" many "$H" P1 2500 300
	start_ready 5
	wait_until 60 results 2500
	for i in 1 2 3 4 5; do put n="w$i" do=wait wait=go >/dev/null; done
	wait_until 5 journal_count '^begin w' 5
	kill -KILL "$exo"
	wait "$exo" || true
	: >"$S/go"
	start_exo
	wait_until 15 results 2505
	journal_count '^begin w' 10
	[ "$(grep -c '^begin' "$S/journal")" -eq 2510 ]
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
	wait_until 5 ahead "$m"
	in_hand "$n"
	not in_hand "$m"
	kill -TERM "$first"
	wait "$first"
	wait_until 10 has_result "$m"
	[ "$(status pid)" = "$second" ]
	journal_count '^begin 1 ' 1
	journal_count '^begin 2 ' 1
	start_exo # a third one, told to stop while it waits
	wait_until 5 waiting 2
	kill -TERM "$exo"
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 0 ]
	[ "$(status pid)" = "$second" ]
}

@test "a new exo waits for workers that outlived the old one, and says so" {
	# Whoever has the lock open holds it: a worker inherits it as this process does.
	flock "$H/run/P1/lock" sleep 600 3>&- &
	holder=$!
	PIDS="$PIDS $holder"
	wait_until 5 test -e "$H/run/P1/lock"
	wait_until 5 pgrep -P "$holder"
	sleeper=$(pgrep -P "$holder")
	n=$(put n=1)
	start_exo
	wait_until 5 state_is starting
	status reason | grep -q 'waiting for the lock'
	kill -KILL "$holder"
	not in_hand "$n"
	unnoted "$n"
	state_is starting
	kill -KILL "$sleeper"
	wait_until 5 has_result "$n"
	wait_until 5 ready
	[ "$(status restarts)" = 0 ]
}

@test "the worker alone holds the lock, not what its handler forks" {
	start_ready
	n=$(put n=1 do=daemon go=go)
	wait_until 5 has_result "$n"
	d=$(cat "$S/daemon.1")
	kill -0 "$d"
	[ -z "$(find "/proc/$d/fd" -lname "$H/*")" ]
	[ -n "$(find "/proc/$(worker_pid)/fd" -lname "$H/run/P1/lock")" ]
}

@test "the directories of the spool are replaced: exo ends with 111" {
	start_ready
	mv "$H/spool/P1/open" "$S/open"
	mkdir "$H/spool/P1/open"
	code=0
	wait "$exo" || code=$?
	[ "$code" -eq 111 ]
	state_is down
	[ "$(status code)" = 111 ]
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

@test "in its first moments HUP does not end it, and TERM ends it in order" {
	command -v strace >/dev/null || skip 'no strace'
	early() # SIGNAL: comes when it looks for descriptors to close, long before it listens
	{
		strace -qq -o "$S/trace" -P /proc/self/fd -e trace=openat -e inject=openat:signal=$1:when=1 \
			"$EXO" --home "$H" P1 >>"$LOG" 2>&1 3>&- &
		exo=$!
		PIDS="$PIDS $exo"
	}
	early HUP
	wait_until 20 ready
	grep -q 'SIGHUP' "$S/trace"
	kill -TERM "$(status pid)"
	wait "$exo"
	code=0
	early TERM
	wait "$exo" || code=$?
	[ "$code" -eq 0 ]
	grep -q 'SIGTERM' "$S/trace"
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
	"$LIB/mkwi.py" many "$H" P1 4000 300
	start_ready
	for i in 1 2 3; do
		wait_until 30 journal_has $((i * 300))
		old=$(worker_pid)
		kill -HUP "$exo"
		wait_until 10 new_worker "$old"
	done
	wait_until 60 results 4000
	[ "$(grep -c '^begin' "$S/journal")" -eq 4000 ]
	[ "$(grep '^begin' "$S/journal" | awk '{print $2}' | sort -u | wc -l)" -eq 4000 ]
	[ "$(grep '^begin' "$S/journal" | awk '{print $3}' | sort -u | wc -l)" -ge 2 ]
	[ "$(status restarts)" = 0 ]
}

@test "HUP: a busy worker finishes, what is ahead goes to the new one" {
	start_ready
	a=$(put n=1 do=wait wait=go)
	wait_until 5 journal '^begin 1 '
	b=$(put n=2)
	wait_until 5 ahead "$b"
	kill -HUP "$exo"
	wait_until 5 logged 'replacing the workers'
	: >"$S/go"
	wait_until 10 has_result "$b"
	journal_count '^begin 1 ' 1
	journal_count '^begin 2 ' 1
	[ "$(header "$a" attempt)" = 1 ]
	[ "$(header "$b" attempt)" = 1 ]
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
	user=$(id -un 2>/dev/null) || user=None # a bare number, as in containers
	[ "$(field "$n" '["fields"]["env"].get("USER")')" = "$user" ]
	[ "$(field "$n" '["fields"]["cwd"]')" = "$H/sv/skynet-P1" ]
	logged "skynet.env:3: malformed"
	logged "skynet.env:6: malformed"
}

@test "children of a handler inherit no descriptors and no blocked or ignored signals" {
	start_ready
	n=$(put n=1 do=signals)
	wait_until 5 has_result "$n"
	sig=$(field "$n" '["fields"]["signals"]'); echo "$sig"
	# Not 32 and 33: they are the C library's own, and nobody can change what was inherited for them.
	echo "$sig" | /usr/bin/python3 -c 'import sys; sys.exit(any(int(l.split()[1], 16) & ~(3 << 31) for l in sys.stdin))'
	[ "$(tr '\n' ' ' <"$S/fds")" = "0 1 2 3 " ]
}
