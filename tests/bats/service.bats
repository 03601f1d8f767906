#!/usr/bin/env bats
# Services under a real runsvdir: up, start, stop, what fails and how it is told, down. Brokerless.
# shellcheck disable=SC1010,SC1091,SC2016,SC2030,SC2031,SC2154 # what bats sets, and its subshells
bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/cli.bash"
	cli_setup
	export SKYNET_HOME=$BATS_TEST_TMPDIR/home
	H=$SKYNET_HOME
	handler ok 'print("started")'
	handler bad 'raise RuntimeError("boom at start")'
	handler slow 'pass' 'import time; open(wid.fields.mark, "w").close(); time.sleep(wid.fields.seconds)'
	skynet local init "$H" 3>&-
}

teardown()
{
	kill_pids
	run skynet local down --timeout 2
	! mountpoint -q "$H/log" || umount -l "$H/log"
	[ "$status" -eq 0 ]
}

# handler NAME START [WORK]
handler()
{
	cat >"$CODE/$1.py" <<-PY
		class ParticipantHandler:
		    def handle_lifecycle_control(self, ctrl):
		        if ctrl.message == "start":
		            $2
		    def handle_wi_control(self, ctrl):
		        pass
		    def handle_wi(self, wid):
		        ${3:-wid.result = True}
	PY
}

state() # NAME STATE: is it?
{
	[ "$(skynet status --json "$1" | jq -r '.[0].state')" = "$2" ]
}

pid_of()
{
	skynet status --json "$1" | jq -r '.[0].pid'
}

no_process() # of this home is left, by command line (the pattern stands in a file: grep has one as well) or directory
{
	echo "$H" >"$BATS_TEST_TMPDIR/pattern"
	! grep -lzsF -f "$BATS_TEST_TMPDIR/pattern" /proc/[0-9]*/cmdline || return 1
	for cwd in /proc/[0-9]*/cwd; do
		[[ $(readlink "$cwd") != "$H"* ]] || return 1
	done
}

give() # NAME SECONDS: a workitem that takes so long, and that is being worked on when this returns
{
	rm -f "$BATS_TEST_TMPDIR/mark"
	printf '{"fei":{"engine_id":"e","wfid":"w1","subid":"s","expid":"0"},"fields":{"mark":"%s","seconds":%s}}' \
		"$BATS_TEST_TMPDIR/mark" "$2" | "$SKYNET_LIBEXEC/spool-put" "$1" -
	wait_until 10 test -e "$BATS_TEST_TMPDIR/mark"
}

@test "up, start, status, stop, down" {
	run -0 skynet local up
	state amqp-spool brokerless
	run -0 skynet install "$CODE/ok.py"
	state ok down
	run -0 skynet start ok
	state ok ready
	[ ! -e "$H/sv/skynet-ok/down" ]
	run -0 skynet status
	run -0 skynet start ok # again: nothing to do
	run -0 skynet stop ok
	state ok down
	run -3 skynet status ok
	run -0 skynet start ok
	run -0 skynet local down
	no_process
	run -3 skynet local status
	has 'not up'
	run -0 skynet local down # again: nothing to do
}

@test "up and down where nobody buries who has ended, as in many a container" {
	skynet install "$CODE/ok.py"
	skynet enable ok
	user=$([ "$(id -u)" -eq 0 ] || echo -Ur)
	unshare ${user:+"$user"} -mpf --mount-proc true || skip 'needs namespaces'
	run -0 unshare ${user:+"$user"} -mpf --mount-proc --kill-child "$(command -v python3)" -c 'if True:
		import os, subprocess
		assert os.getpid() == 1
		for verb in "up", "down", "up", "down":
		    subprocess.run(["skynet", "local", verb], timeout=30, check=True)' 3>&-
}

@test "what was started comes up with the home, what was only installed does not" {
	skynet local up
	skynet install "$CODE/ok.py"
	skynet install -n idle "$CODE/ok.py"
	skynet start ok
	skynet local down
	run -0 skynet local up
	state ok ready
	state idle down
	run -0 skynet local up
	has 'up already'
	run -0 skynet local status
	has 'is up'
}

@test "start of a handler that fails: exit 1, the reason, the traceback; others start all the same" {
	skynet install "$CODE/bad.py"
	skynet install "$CODE/ok.py"
	skynet local up
	run -1 --separate-stderr skynet start bad ok
	[ -z "$output" ]
	[[ $stderr == *'bad: not ready, backoff: '*'boom at start'* ]]
	[[ $stderr == *Traceback* ]]
	state ok ready
	run -3 skynet status
	has backoff
	has 'boom at start'
	skynet local down
	run -1 skynet local up
	has 'boom at start'
	state ok ready
}

@test "a wrong configuration: start says what and where, stays down, and start tries again" {
	skynet install "$CODE/ok.py"
	skynet local up
	printf '[participant]\nhold = x\n' >"$H/etc/ok.conf"
	run -1 skynet start ok
	has "ok: not ready, config-error: $H/etc/ok.conf:2: hold: 'x' is no number"
	wants_down() { [ "$(skynet status --json ok | jq -r '.[0] | "\(.state) \(.want)"')" = 'config-error down' ]; }
	wait_until 10 wants_down # finish has told runsv
	rm "$H/etc/ok.conf"
	run -0 skynet start ok
}

@test "reload of code that does not load: exit 1 and why; what ran runs, and so it does once the code is repaired" {
	cp "$CODE/ok.py" "$BATS_TEST_TMPDIR/mine.py"
	skynet install "$BATS_TEST_TMPDIR/mine.py"
	skynet local up
	skynet start mine
	before=$(pid_of mine)
	workers=$(pgrep -P "$before")
	echo 'import nothing_like_it' >"$BATS_TEST_TMPDIR/mine.py"
	run -1 skynet reload mine
	has "mine: not reloaded, what ran before still runs: ModuleNotFoundError: No module named 'nothing_like_it'"
	run -0 skynet status mine
	has 'not reloaded: ModuleNotFoundError'
	state mine ready
	[ "$(pgrep -P "$before")" = "$workers" ]
	cp "$CODE/ok.py" "$BATS_TEST_TMPDIR/mine.py"
	run -0 skynet reload mine
	[ "$(pid_of mine)" = "$before" ]
	replaced() { [ -n "$(pgrep -P "$before")" ] && [ "$(pgrep -P "$before")" != "$workers" ]; }
	wait_until 20 replaced
	wait_until 20 state mine ready
	run -0 skynet status mine
	case $output in *'not reloaded'*) false ;; esac
}

@test "reload and restart refuse a wrong configuration and leave what runs" {
	skynet install "$CODE/ok.py"
	skynet local up
	skynet start ok
	before=$(pid_of ok)
	printf '[participant]\nhold = x\n' >"$H/etc/ok.conf"
	run -78 skynet reload ok
	has "$H/etc/ok.conf:2"
	run -78 skynet restart ok
	[ "$(pid_of ok)" = "$before" ]
	state ok ready
	rm "$H/etc/ok.conf"
	run -0 skynet reload --all
	[ "$(pid_of ok)" = "$before" ]
	run -0 skynet restart ok
	[ "$(pid_of ok)" != "$before" ]
}

@test "stop gives running work its grace" {
	skynet install "$CODE/slow.py"
	skynet local up
	skynet start slow
	give slow 1
	run -0 skynet stop slow
	run -0 skynet wait --for idle --timeout 10 slow # it was finished, and the bridge retired it
}

@test "stop --timeout kills what does not end in time, and the work is resumed" {
	skynet install "$CODE/slow.py"
	skynet local up
	skynet start slow
	give slow 60
	SECONDS=0
	run -0 skynet stop --timeout 1 slow
	[ "$SECONDS" -le 15 ]
	state slow down
	[ -n "$(ls "$H/spool/slow/open")" ]
}

@test "enable --now and disable" {
	skynet local up
	skynet install --no-enable "$CODE/ok.py"
	run -0 skynet enable --now ok
	state ok ready
	run -0 skynet disable ok
	state ok down
	[ ! -L "$H/service/skynet-ok" ]
	run -0 skynet list --json
	[ "$(jq '.[0].enabled' <<<"$output")" = false ]
	run -0 skynet start ok # enables it again
	[ -L "$H/service/skynet-ok" ]
}

@test "--all is every participant" {
	skynet install -n a "$CODE/ok.py"
	skynet install -n b "$CODE/ok.py"
	skynet local up
	run -0 skynet start --all
	state a ready
	state b ready
	run -0 skynet stop --all
	state a down
	state b down
	state amqp-spool brokerless
}

@test "uninstall of what runs ends it" {
	skynet install "$CODE/ok.py"
	skynet local up
	skynet start ok
	pid=$(pid_of ok)
	run -0 skynet uninstall --purge ok
	[ ! -e "/proc/$pid" ]
	run -4 skynet status ok
	[ ! -e "$H/spool/ok" ]
}

@test "sv knows the state: check, once down it says so; alarm rotates the log" {
	export SVDIR=$H/service
	skynet install "$CODE/ok.py"
	skynet local up
	skynet start ok
	run -0 sv check skynet-ok
	rotated() { ls "$H"/log/ok/@*.s; }
	run ! rotated
	wait_until 10 test -s "$H/log/ok/current"
	run -0 sv alarm skynet-ok/log
	wait_until 10 rotated
	run -0 sv -w 10 down skynet-ok
	run -0 sv -w 10 start skynet-ok
	state ok ready
}

@test "manual runs in the foreground, Ctrl-C ends it well; not beside its service" {
	skynet install "$CODE/ok.py"
	skynet local up
	skynet start ok
	run -75 skynet manual ok
	skynet stop ok
	env --default-signal=INT skynet manual ok >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pids=$!
	wait_until 20 state ok ready
	kill -INT "$pids"
	wait "$pids"
	pids=
	run -0 skynet wait --for down --timeout 10 ok
}

@test "up --foreground ends in order on INT, TERM and HUP" {
	skynet install "$CODE/ok.py"
	rm "$H/sv/skynet-ok/down"
	for signal in INT TERM HUP; do
		env --default-signal=INT,TERM,HUP skynet local up --foreground >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
		pids=$!
		wait_until 20 state ok ready
		kill -"$signal" "$pids"
		wait "$pids"
		pids=
		no_process
	done
}

@test "down ends a home whose run/ was removed, and says so before" {
	skynet install "$CODE/ok.py"
	skynet local up 3>&-
	skynet start ok
	rm -rf "$H/run"
	run skynet local status
	has 'was taken from under it'
	run -75 skynet local up
	has 'skynet local down'
	run -0 skynet local down
	no_process
	run -0 skynet local up 3>&-
	state ok ready
}

@test "a killed supervisor takes everything with it, and up works again" {
	skynet install "$CODE/ok.py"
	rm "$H/sv/skynet-ok/down"
	skynet local up
	state ok ready
	kill -KILL "$(cat "$H/run/runsvdir.pid")"
	wait_until 20 no_process
	run -0 skynet local up
	state ok ready
}

@test "what services log at their start and what they inherit: no ignored SIGINT, no stray descriptor" {
	skynet install "$CODE/ok.py"
	rm "$H/sv/skynet-ok/down"
	skynet local up
	pid=$(pid_of ok)
	ignored=$((0x$(sed -n 's/^SigIgn:\t//p' "/proc/$pid/status")))
	[ $((ignored & (1 << 1))) -eq 0 ] # SIGINT
	[ $((ignored & (1 << 2))) -eq 0 ] # SIGQUIT
	run ! grep -q runsvdir.lock <(ls -l "/proc/$pid/fd")
}

# Ten stops of NAME while it works. What outlasts grace in round 8 of m5 is stopped in the next rounds, too, and answered in the end.
stop_ten_times() # NAME
{
	local round n seconds before took
	for round in 1 2 3 4 5 6 7 8 9 10; do
		case $1.$round in
		*.5 | *.10) seconds=0.5 ;; # ends within grace
		m5.8) seconds=3 ;;
		*) seconds=0 ;;
		esac
		for n in 1 2 3 4 5 6 7 8; do
			printf '{"fei":{"engine_id":"e","wfid":"w-%s-%s","subid":"s","expid":"0"},"fields":{"seconds":%s}}' \
				"$round" "$n" "$([ "$n" -ne 1 ] && echo 0 || echo "$seconds")" | "$SKYNET_LIBEXEC/spool-put" "$1" - >/dev/null
		done
		before=$(date +%s%N)
		SVDIR=$H/service sv -w 4 stop "skynet-$1" >/dev/null
		took=$((($(date +%s%N) - before) / 1000000))
		[ "$took" -lt 3000 ] || { echo "$1, round $round: sv stop took $took ms"; false; }
		[ "$(skynet status --json "$1" | jq -r '.[0].pid // "none"')" = none ]
		SVDIR=$H/service sv -w 10 start "skynet-$1" >/dev/null
	done
	: >"$BATS_TEST_TMPDIR/ten.$1"
}

@test "sv stop under load, 50 times: within grace + 2 s each time, and every workitem taken is answered" {
	handler mixed 'pass' 'import time; time.sleep(wid.fields.seconds or 0); wid.result = True'
	for name in m1 m2 m3 m4 m5; do # side by side: runsv starts a service once a second at most
		skynet install -n $name "$CODE/mixed.py"
		printf '[participant]\ngrace = 1\n' >"$H/etc/$name.conf"
	done
	skynet local up
	skynet start m1 m2 m3 m4 m5
	for name in m1 m2 m3 m4 m5; do
		stop_ten_times $name 3>&- &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid"
	done
	pids=
	[ "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'ten.*' | wc -l)" -eq 5 ]
	all_done() { [ "$(find "$H"/spool/m?/done -name '*.json' | wc -l)" -eq 400 ]; }
	wait_until 30 all_done
	[ "$("$BATS_TEST_DIRNAME/../lib/answer.py" --names "$H"/spool/m?/done | sort -u | wc -l)" -eq 400 ]
	[ "$(find "$H"/spool/m?/done -name '*.results' -exec grep -axhF 'outcome: ok' {} + | wc -l)" -eq 400 ]
	run find "$H"/spool/m?/failed -type f
	[ -z "$output" ]
}

@test "down where the log is full: it says what is still alive, and that ends when there is room" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to mount a small file system'
	handler loud 'print(*("x" * 200 for _ in range(2000)), sep="\n")'
	skynet install "$CODE/loud.py"
	mount -t tmpfs -o size=128k tmpfs "$H/log" || skip 'cannot mount'
	skynet local up 3>&-
	skynet start loud
	full() { [ "$(df --output=avail "$H/log" | tail -n 1)" -eq 0 ]; }
	wait_until 20 full
	code=0
	skynet local down 2>"$BATS_TEST_TMPDIR/said" || code=$?
	mount -o remount,size=8m "$H/log"
	wait_until 20 no_process
	umount "$H/log"
	[ "$code" -eq 124 ]
	grep -q 'still alive: loud (svlogd does not end while the disk of its log is full)' "$BATS_TEST_TMPDIR/said"
}

@test "finish does not wait for a log that takes nothing" {
	skynet install "$CODE/ok.py"
	mkfifo "$BATS_TEST_TMPDIR/log"
	exec 7<>"$BATS_TEST_TMPDIR/log"
	dd if=/dev/zero of="$BATS_TEST_TMPDIR/log" bs=4k oflag=nonblock 2>/dev/null || : # as much as it holds
	for service in skynet-ok skynet-amqp-spool; do
		cd "$H/sv/$service"
		timeout 20 ./finish -1 9 >&7 3>&-
	done
	[ "$(timeout 1 cat <&7 | tr -d '\0' | wc -c)" -eq 0 ]
	[ "$(./finish -1 139)" = 'amqp-spool: ended by signal 11' ]
}
