#!/usr/bin/env bats
# skynet query, cancel, stacks and status against control sockets: what an exo says, and what none ever would.
# shellcheck disable=SC1010,SC1091,SC2016,SC2030,SC2031,SC2154 # what bats sets, and its subshells
bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/cli.bash"
	. "$BATS_TEST_DIRNAME/../lib/spool.bash"
	cli_setup
	spool_home
	export SKYNET_LIBEXEC=$SPOOL_BIN
	H=$SKYNET_HOME
	SAY=$BATS_TEST_TMPDIR/say
}

teardown()
{
	[ -z "${exo:-}" ] || kill -CONT "$exo" || :
	kill_pids
}

participant() { spool_participant "${1:-P1}" </dev/null; }
is_ready() { grep -q "^pid: $2\$" "$H/run/$1/status"; }
requests() { cat "$H/requests"; }

# say NAME: what its fake answers from now on, on stdin.
say() { cat >"$SAY.$1.new" && mv "$SAY.$1.new" "$SAY.$1"; }

# fake NAME MODE: $fake is its pid. `say` may come later.
fake()
{
	"$ROOT/tests/lib/fake_exo.py" "$H" "$1" "$2" "$SAY.$1" 3>&- &
	fake=$!
	pids="$pids $fake"
	wait_until 20 is_ready "$1" "$fake"
}

# A `status` line of a worker that runs workitem $1 of process $2.
status_line()
{
	printf '{"type":"status","participant":"P1","state":"ready","pid":1,"since":"2026-11-22T10:54:43.865116Z",'
	printf '"workers":[{"id":"0-1","pid":4711,"state":"working","since":"2026-11-22T10:54:43.865116Z","workitem":'
	printf '{"name":"%s","wfid":"%s","expid":"0_1","attempt":2,"since":"2026-11-22T10:54:43.865116Z"},' "$1" "$2"
	printf '"last_line":"%s"}],"waiting":{"new":3,"ahead":1}}\n' "${3:-at step 7}"
}

answer_line() { printf '{"type":"answer","worker":"0-1","name":"%s","wfid":"w","%s":%s}\n' "$1" "$2" "$3"; }
end_line() { printf '{"type":"end","code":%s}\n' "${1:-0}"; }
cancel_line() { printf '{"type":"cancel","name":"%s","wfid":"wf-1","event":"%s"%s}\n' "$1" "$2" "${3:+,$3}"; }

# --- query ---

@test "query NAME: a block for each workitem, the handler's answer below it" {
	participant
	{
		status_line 20261122T105443.865116-0000-9f86d081884c7d65-wf-1 wf-1
		answer_line 20261122T105443.865116-0000-9f86d081884c7d65-wf-1 answer '{"step":7,"of":[1,2]}'
		end_line
	} | say P1
	fake P1 say
	run -0 --separate-stderr skynet query P1
	[ -z "$stderr" ]
	has 'P1: ready'
	has '3 waiting, 1 next'
	has 'P1 20261122T105443.865116-0000-9f86d081884c7d65-wf-1'
	has 'wf-1 0_1'
	has 'attempt 2, worker pid 4711'
	has 'at step 7'
	has '"step": 7'
	[ "$(requests)" = 'status wait=100' ]
	run -0 skynet query --json --timeout 2 P1
	[ "$(jq -r '.[0] | .name, .status.workers[0].workitem.attempt, .answers[0].answer.step, .error' <<<"$output")" = "P1
2
7
null" ]
	[ "$(requests | tail -n 1)" = 'status wait=2000' ]
	{
		status_line w w | sed 's/"ahead"/"more":true,&/'
		end_line
	} | say P1
	run -0 skynet query P1
	has '3 or more waiting, 1 next'
}

@test "query NAME says why it does not work" {
	participant
	{
		printf '{"type":"status","participant":"P1","state":"backoff","pid":1,"since":"2026-11-22T10:54:43.865116Z",'
		printf '"reason":"no \\u001b[1mdatabase","workers":[],"waiting":{"new":3,"ahead":0}}\n'
		end_line
	} | say P1
	fake P1 say
	run -0 skynet query P1
	has 'P1: backoff'
	has 'reason    no \x1b[1mdatabase'
}

@test "query says why the handler says nothing" {
	participant
	name=20261122T105443.865116-0000-9f86d081884c7d65-wf-1
	{ status_line $name wf-1 && answer_line $name absent '"no answer within 100 ms"' && end_line; } | say P1
	fake P1 say
	run -0 skynet query P1
	has 'none: no answer within 100 ms'
	{ status_line $name wf-1 && answer_line $name error '"KeyError: 1"' && end_line; } | say P1
	run -0 skynet query P1
	has 'status() failed: KeyError: 1'
}

@test "query WFID: what runs, what waits, what is finished" {
	participant
	running=$(put '{"n":1}' wf-1)
	waiting=$(put '{"n":2}' wf-1)
	put '{"n":3}' wf-2 >/dev/null
	spool_claim P1 "$running"
	{ status_line "$running" wf-1 && end_line; } | say P1
	fake P1 say
	run -0 skynet query wf-1
	has "P1 $running"
	has 'attempt 2'
	has "P1 $waiting"
	has 'waits in the spool'
	[[ $output != *wf-2* ]]
	[ "$(grep -c "$running" <<<"$output")" -eq 1 ]
	[ "$(requests)" = 'status wf-1 wait=100' ]
	run -0 skynet query --json wf-1
	[ "$(jq -r '.[0].open | length' <<<"$output")" -eq 2 ]
	# the beginning of a name is sent as the name
	run -0 skynet query "${waiting:0:45}"
	[ "$(requests | tail -n 1)" = "status $waiting wait=100" ]
	spool_finish P1 "$running" done ok '{}'
	spool_finish P1 "$waiting" done ok '{}'
	end_line 4 | say P1
	run -4 --separate-stderr skynet query wf-1
	[ -z "$output" ]
	[[ $stderr == *"wf-1: not open here; it is done"*"skynet show wf-1"* ]]
	run -4 skynet query wf-9
	has 'wf-9: no participant, and no such workitem is open here'
}

@test "query: what does not run, who is unknown, what cannot be asked" {
	participant
	run -3 skynet query P1
	has 'P1: it does not run'
	name=$(put '{}' wf-1)
	run -0 skynet query wf-1
	has 'waits in the spool; the participant does not run'
	run -64 skynet query
	run -64 skynet query a b
	run -64 skynet query 'a b'
	run -64 skynet query 'a=b'
	run -64 skynet query $'a\nstacks'
	run -64 skynet query "$(printf 'a%.0s' {1..3000})"
	run -64 skynet query --timeout soon P1
	run -4 skynet query amqp-spool
	has 'skynet status amqp-spool'
	[ ! -e "$H/requests" ]
}

@test "an error line of exo's: its text, its code" {
	participant
	echo '{"type":"error","code":77,"error":"only for adm"}' | say P1
	fake P1 say
	run -77 skynet query P1
	has 'P1: only for adm'
	put '{}' wf-1 >/dev/null
	run -77 skynet cancel wf-1
	run -77 skynet stacks P1
}

# --- who is hostile ---

@test "an exo that is deaf or mute: 75 in time, and the others are shown" {
	for n in P1 P2 P3; do participant "$n"; done
	fake P1 deaf
	fake P2 mute
	{ status_line 20261122T105443.865116-0000-9f86d081884c7d65-wf-1 wf-1 && end_line; } | say P3
	fake P3 say
	SECONDS=0
	run -75 skynet query P1
	has 'it hangs'
	run -75 skynet query P2
	run -0 skynet query wf-1
	has "P3 2026"
	[ "$SECONDS" -le 8 ]
}

@test "lines and output without end are cut off" {
	participant
	fake P1 line
	run -1 skynet query P1
	has 'endless line'
	participant P2
	fake P2 flood
	run -1 skynet query P2
	has 'too much'
	run -1 skynet query --json P2
	[ "$(head -c 1 <<<"$output")" = '[' ]
}

@test "what is no JSON, no UTF-8, no line, or nothing at all: exit 1, no noise" {
	participant
	fake P1 say
	for text in 'nonsense' '{"type":"status"' '[]' '{}' '{"type":1}' $'{"type":"a\xff"}' $'\x00\x00' '{"type":"status","workers":[{"pid":}]}'; do
		printf '%s\n' "$text" | say P1
		run -1 skynet query P1
		has 'none of the protocol'
	done
	printf '{"type":"status"' | say P1
	run -1 skynet query P1
	has 'closed the connection'
	kill "$fake" && wait "$fake" || :
	fake P1 close
	run -1 skynet query P1
}

@test "members that are missing, of another kind, or huge are shown as they can be" {
	participant
	{
		echo '{"type":"status","workers":[1,"x",null,{"workitem":{}},{"pid":[{"a":1}],"workitem":{"name":5,"attempt":"x","since":7}},[]]}'
		echo '{"type":"answer"}'
		echo '{"type":"unheard-of","x":1}'
		echo '{"type":"end","code":"x"}'
	} | say P1
	fake P1 say
	run -1 skynet query P1
	printf '{"type":"status","state":"%s","workers":7}\n{"type":"end","code":0}\n' "$(head -c 100000 /dev/zero | tr '\0' s)" | say P1
	run -0 skynet query P1
	[ "${#output}" -gt 100000 ]
}

@test "no control byte of an answer reaches the terminal" {
	participant
	name=20261122T105443.865116-0000-9f86d081884c7d65-wf-1
	{
		status_line $name wf-1 $'\\u001b[31m \xc2\x9b31m \x7f \\u009b \\u0000 \\ud83d\\ude00 \\u202e'
		answer_line $name answer $'{"a\xc2\x9b":"\\u001b]0;x\\u0007 \x7f \xe2\x80\xae"}'
		cancel_line $name $'\\u001b[2J' $'"answer":{"\xc2\x9b":"\xe2\x80\xae"}'
		cancel_line $name failed $'"error":"\\u001b[1m"'
		printf '{"type":"stacks","worker":"\\u001b","pid":1,"processes":[{"pid":1,"command":"\\u001b[1m\xc2\x9b"}]}\n'
		printf '{"type":"error","code":1,"error":"\\u001b[31m\xc2\x9b"}\n'
	} | say P1
	fake P1 say
	put '{}' wf-1 >/dev/null
	clean() { [ "$(LC_ALL=C tr -d '\n\040-\176\200-\377' <<<"$output" | wc -c)" -eq 0 ] && [[ $output != *$'\xc2\x9b'* ]]; }
	for command in 'query P1' 'query --json P1' 'cancel wf-1' 'cancel --json wf-1' 'stacks P1'; do
		run -1 skynet $command
		[ -n "$output" ]
		clean || { cat -v <<<"$output" && false; }
		[[ $command == *--json* || $output != *$'\xe2\x80\xae'* ]] # it would turn the text around
	done
	has '\x1b'
}

@test "the socket must be the participant's own: no link is followed" {
	participant
	participant P2
	end_line | say P2
	fake P2 say
	mkdir -p "$H/run/P1"
	ln -s "$H/run/P2/control" "$H/run/P1/control"
	run skynet query P1
	[ "$status" -ne 0 ]
	[ ! -e "$H/requests" ]
	rm "$H/run/P1/control"
	mkfifo "$H/run/P1/control"
	run -77 skynet query P1
	has 'not its own'
	rm "$H/run/P1/control"
	touch "$H/run/P1/control"
	run -77 skynet query P1
	put '{}' wf-1
	run -77 skynet cancel wf-1
	has 'not its own'
	[[ $output != *'the request stands'* ]] # nobody was asked
}

@test "a socket of another uid is not talked to" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	participant
	end_line | say P1
	fake P1 say
	chown 12345 "$H/run/P1/control"
	run -77 skynet query P1
	chown 12345 "$H/run/P1" # who listens is still somebody else
	run -77 skynet query P1
	[ ! -s "$H/requests" ]
}

@test "a home with a path longer than a socket address" {
	long=$BATS_TEST_TMPDIR/$(printf 'a%.0s' {1..100})/$(printf 'b%.0s' {1..100})
	mkdir -p "$long"
	mv "$H" "$long/home"
	H=$long/home
	export SKYNET_HOME=$H
	participant
	{ status_line x wf-1 && end_line; } | say P1
	fake P1 say
	run -0 skynet query P1
}

# --- cancel ---

@test "cancel: each event is a line; 0 when all ended" {
	participant
	name=$(put '{}' wf-1)
	{
		cancel_line "$name" requested
		cancel_line "$name" acknowledged '"answer":{"left":3}'
		cancel_line "$name" finished '"outcome":"cancelled"'
		end_line
	} | say P1
	fake P1 say
	run -0 skynet cancel wf-1
	[ "${lines[0]}" = "P1 $name requested" ]
	[ "${lines[1]}" = "P1 $name acknowledged: {\"left\":3}" ]
	[ "${lines[2]}" = "P1 $name finished: cancelled" ]
	[ "$(requests)" = 'cancel wf-1 wait=5000' ]
	run -0 skynet cancel --json --kill=3 "$name" P1
	[ "$(jq -r '"\(.participant) \(.event)"' <<<"$output" | head -n 2)" = "P1 requested
P1 acknowledged" ]
	[ "$(requests | tail -n 1)" = "cancel $name wait=8000 kill=3" ]
	run -0 skynet cancel --kill --wait 1.5 wf-1
	[ "$(requests | tail -n 1)" = "cancel wf-1 wait=1500 kill=10" ]
}

@test "cancel shows events as they come, and 75 when it still runs at the end" {
	participant
	name=$(put '{}' wf-1)
	{ cancel_line "$name" requested && printf 'hold\n'; } | say P1
	fake P1 say
	skynet cancel --wait 60 wf-1 >"$BATS_TEST_TMPDIR/out" 3>&- &
	pids="$pids $!"
	wait_until 20 grep -q requested "$BATS_TEST_TMPDIR/out"
	kill "$!" && wait "$!" || :
	run -75 skynet cancel --wait 0.2 wf-1
	{ cancel_line "$name" requested && end_line 75; } | say P1
	run -75 --separate-stderr skynet cancel --wait 0 wf-1
	[[ $stderr == *'still running'* ]]
	{ cancel_line "$name" requested && end_line 0; } | say P1 # as exo does when nobody waits
	run -75 --separate-stderr skynet cancel --wait 0 wf-1
	[[ $stderr == *'still running'* ]]
}

@test "cancel: nothing such is open (4), the participant does not run (3) and how a waiting workitem is kept" {
	participant
	run -4 skynet cancel wf-1
	name=$(put '{}' wf-1)
	run -3 skynet cancel wf-1
	has "skynet spool hold P1 $name"
	spool_claim P1 "$name"
	run -3 skynet cancel wf-1 P1
	has 'skynet start P1'
	run -4 skynet cancel wf-1 P2
	spool_finish P1 "$name" done ok '{}'
	end_line 4 | say P1
	fake P1 say
	run -4 skynet cancel wf-1
	has 'it is done'
	run -64 skynet cancel
	run -64 skynet cancel --wait x wf-1
	run -64 skynet cancel --kill=x wf-1
	run -64 skynet cancel --kill=0 wf-1
	for words in '--kill 3 wf-1' '--kill 3' 'wf-1 P1 --kill 3' '--kill 1.5m wf-1 P1'; do
		run -64 skynet cancel $words
		[[ $output == *"its seconds go behind a '=' (--kill="* ]]
	done
	run -64 skynet cancel -- -
}

@test "cancel does not ask what is held, but says so" {
	participant
	name=$(put '{}' wf-1)
	skynet spool hold P1 "$name"
	end_line 4 | say P1
	fake P1 say
	run -3 skynet cancel wf-1
	has 'is held'
}

# --- stacks ---

@test "stacks: the processes, and then the lines that come to the log" {
	participant
	mkdir -p "$H/log/P1"
	echo '2026-11-22_10:00:00.00000 [w1 0_0] before' >"$H/log/P1/current"
	{
		echo 'pause'
		echo '{"type":"stacks","worker":"0-1","pid":4711,"processes":[{"pid":4711,"command":"python3","state":"S","wchan":"futex"}]}'
		end_line
	} | say P1
	fake P1 say
	{
		wait_until 20 grep -q stacks "$H/requests"
		echo '2026-11-22_10:00:00.00001 [w1 0_0] File "x.py", line 3' >>"$H/log/P1/current"
	} 3>&- &
	run -0 --separate-stderr skynet stacks P1
	has 'worker 0-1, pid 4711'
	has '  pid 4711 S futex  python3'
	has '[w1 0_0] File "x.py", line 3'
	[[ $output != *before* ]]
	[[ $stderr == *'skynet log --since 1m P1'* ]]
	[ "$(requests)" = stacks ]
	run -0 skynet stacks --timeout 0 wf-1
	[ "$(requests | tail -n 1)" = 'stacks wf-1' ]
}

@test "stacks: nobody works on it, it does not run, it is unknown" {
	participant
	run -3 skynet stacks P1
	run -4 skynet stacks wf-1
	put '{}' wf-1 >/dev/null
	end_line 4 | say P1
	fake P1 say
	run -4 skynet stacks wf-1
	has 'no worker works on it now'
	end_line | say P1
	run -3 skynet stacks P1
	has 'P1: no worker of it runs now'
	run -64 skynet stacks
}

# --- status ---

@test "status: an exo that does not answer hangs, one without a socket does not; many are asked at once" {
	for n in P1 P2 P3 P4; do participant "$n"; done
	fake P1 deaf
	fake P2 mute
	end_line | say P3
	fake P3 say
	end_line | say P4
	fake P4 say
	rm "$H/run/P4/control"
	SECONDS=0
	run -3 skynet status
	[ "$SECONDS" -le 3 ]
	[[ ${lines[1]} == P1\ *hung* ]]
	[[ ${lines[2]} == P2\ *hung* ]]
	[[ ${lines[3]} == P3\ *ready* ]]
	[[ ${lines[4]} == P4\ *ready* ]]
	run -0 skynet status P3 P4
	run -3 skynet status --json P1
	[ "$(jq -r '.[0] | .state, .ready' <<<"$output")" = "hung
false" ]
}

# --- the real one ---

# A real exo whose log is svlogd's, and its handler: steps until it is cancelled, deaf to that if the field says so.
real_exo()
{
	spool_participant P1 <<-'PY'
		import time
		class ParticipantHandler:
		    def status(self, wid):
		        return {"step": self.step, "n": wid.fields.n}
		    def cancel(self, wid):
		        if wid.fields.deaf:
		            raise KeyError("deaf")
		        self.over = True
		        return {"at": self.step}
		    def handle_wi(self, wid):
		        self.over = False
		        for self.step in range(1, 3000):
		            print("step", self.step)
		            time.sleep(0.02)
		            if self.over:
		                break
	PY
	mkdir -p "$H/log/P1"
	("$SPOOL_BIN/exo" --home "$H" P1 2>&1 3>&- | svlogd -tt "$H/log/P1" 3>&- 2>/dev/null) &
	wait_until 30 grep -q '^state: ready' "$H/run/P1/status"
	exo=$(sed -n 's/^pid: //p' "$H/run/P1/status")
	pids="$pids $exo"
}

runs() { skynet query "$1" | grep -q '"step"'; }

@test "a real exo: query, stacks, cancel of what waits and of what runs" {
	real_exo
	a=$(put '{"n":1}' wf-a)
	wait_until 20 runs wf-a
	b=$(put '{"n":2}' wf-b)
	c=$(put '{"n":3}' wf-b)
	run -0 skynet query P1
	has 'P1: ready'
	has "P1 $a"
	has '"n": 1'
	has '  log       step '
	run -0 skynet query wf-b
	has "P1 $b"
	has "P1 $c"
	[[ $output != *$a* ]]
	run -0 --separate-stderr skynet stacks --timeout 20 wf-a
	has "worker 0-"
	has 'in handle_wi'
	[[ ${lines[-1]} == *'end of the stacks'* ]]
	run -0 skynet cancel wf-b
	has "P1 $b withdrawn"
	has "P1 $c withdrawn"
	run -0 skynet cancel --wait 60 "${a:0:45}"
	has "P1 $a requested"
	has "P1 $a acknowledged: {\"at\":"
	has "P1 $a finished: ok"
}

@test "a real exo: what does not let itself be cancelled is 75, and killed with --kill" {
	real_exo
	a=$(put '{"deaf":true}' wf-a)
	wait_until 20 runs wf-a
	run -75 skynet cancel --wait 0.3 wf-a
	has "P1 $a failed: KeyError: 'deaf'"
	has 'still running'
	run -0 skynet cancel --kill=0.5 --wait 60 wf-a
	has "P1 $a killed"
	has "P1 $a finished: cancelled"
}

# The system home in a mount namespace of its own: the bridge is daemon, the participant nobody, games somebody else.
system_home()
{
	set -eu
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/up /mnt/work
	mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/up,workdir=/mnt/work /etc
	mount -t tmpfs tmpfs /run
	mount -t tmpfs tmpfs /var/spool
	mkdir -p /etc/skynet/sv/skynet-P1
	printf '[skynet]\nuser = daemon\n[participant]\nuser = nobody\n' >/etc/skynet/skynet.conf
	: >/etc/skynet/sv/skynet-P1/config.exo
	printf '%s\n' 'import time' 'class ParticipantHandler:' '    def status(self, wid): return {"step": 1}' \
		'    def handle_wi(self, wid): time.sleep(600)' >/etc/skynet/sv/skynet-P1/code.py
	skynet-mkspool P1
	cd /etc/skynet/sv/skynet-P1
	chpst -u "$(skynet-prepare P1)" "$SPOOL_BIN/exo" P1 >/run/exo.txt 2>&1 &
	exo=$!
	trap 'kill -KILL $exo' EXIT
	for n in 1 2; do workitem "{\"n\":$n}" wf-1 | spool-put P1 >/dev/null; done
	runs() { skynet-query wf-1 | grep -q step; }
	wait_until 30 runs
	as() { setpriv --reuid "$1" --regid "$2" "${@:3}"; }
	says() { echo "$1: $({ "${@:2}" 2>&1 || echo "exit $?"; } | grep -oE 'step|waits|not permitted|exit.*|withdrawn' | tr '\n' ' ')"; }
	says root skynet-query P1
	says bridge as daemon daemon --clear-groups skynet-query wf-1
	says adm as games games --groups adm skynet-query wf-1
	says itself as nobody nogroup --clear-groups skynet-query P1
	says other as games games --clear-groups skynet-query P1
	says other as games games --clear-groups skynet-query wf-1
	says other as games games --clear-groups skynet-cancel wf-1
	says other as games games --clear-groups skynet-stacks P1
	says bridge as daemon daemon --clear-groups skynet-cancel --wait 0 wf-1
}

@test "system home: root, the bridge, adm and the participant itself may ask, nobody else" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	unshare -m true || skip 'needs a mount namespace'
	chpst -u ":$(id -u nobody):$(id -g nobody)" test -r "$SPOOL_BIN/exo" || skip 'the build tree cannot be read by others'
	unset SKYNET_HOME
	export -f system_home workitem wait_until within _wait_now_cs
	run -0 unshare -m bash -c system_home 3>&-
	echo "$output"
	[ "$output" = 'root: step 
bridge: step waits 
adm: step waits 
itself: step 
other: not permitted exit 77 
other: not permitted exit 77 
other: not permitted exit 77 
other: not permitted exit 77 
bridge: withdrawn exit 75 ' ]
}

@test "a real exo that is stopped hangs, and is well when it goes on" {
	real_exo
	run -0 skynet status P1
	kill -STOP "$exo"
	run -3 skynet status P1
	has ' hung '
	run -75 skynet query P1
	kill -CONT "$exo"
	well() { skynet status P1 >/dev/null; }
	wait_until 20 well
}
