#!/usr/bin/env bats
# Limits of memory, files and CPU time, set by chpst in the service, under a real runsvdir. Brokerless.
# shellcheck disable=SC1091,SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/cli.bash"
	cli_setup
	export SKYNET_HOME=$BATS_TEST_TMPDIR/home PYTHONDONTWRITEBYTECODE=1
	H=$SKYNET_HOME
	cat >"$CODE/eater.py" <<-'PY'
		import resource
		class ParticipantHandler:
		    def handle_wi(self, wid):
		        if wid.fields.eat == "memory":
		            self.kept = bytearray(wid.fields.much << 20)
		        elif wid.fields.eat == "files":
		            self.kept = [open("/dev/null") for _ in range(wid.fields.much)]
		        elif wid.fields.eat == "cpu":
		            while True:
		                pass
		        wid.fields.limits = [resource.getrlimit(r)[0] for r in
		                             (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU)]
		        wid.result = True
	PY
	skynet local init "$H" 3>&-
	skynet local up 3>&-
}

teardown()
{
	kill_pids
	[ -n "$BATS_TEST_COMPLETED" ] || tail -n 30 "$H"/log/*/current
	run skynet local down --timeout 2
	[ "$status" -eq 0 ]
}

# eater LINE…: installed with this configuration, and started.
eater()
{
	printf '%s\n' '[participant]' "$@" >"$H/etc/eater.conf"
	skynet install "$CODE/eater.py"
	skynet start eater
}

# give FIELDS: a workitem; the reply is in $output.
give()
{
	printf '{"fei":{"engine_id":"e","wfid":"w1","subid":"s%s","expid":"0"},"fields":{%s}}' "$RANDOM" "$1" >"$BATS_TEST_TMPDIR/wi"
	run --separate-stderr skynet put eater --wait=60 "$BATS_TEST_TMPDIR/wi"
}

is() { [ "$(jq -rc "$1" <<<"$output")" = "$2" ] || { echo "$1: $output"; return 1; }; }
exo_pid() { skynet status --json eater | jq -r '.[0].pid'; }

@test "none are set: no chpst, no limits of ours" {
	eater 'instances = 1'
	give ''
	is '.fields.limits[0]' -1
	is '.fields.limits[2]' -1
}

@test "memory: MemoryError is an error reply, the worker lives on" {
	eater 'limit_data_mb = 200'
	give '"eat":"memory","much":10'
	is .fields.__result__ true
	is '.fields.limits[0]' $((200 << 20))
	give '"eat":"memory","much":300'
	is .error.message 'MemoryError: '
	give ''
	is .fields.__result__ true
	[ "$(skynet status --json eater | jq -r '.[0].restarts')" = 0 ]
}

@test "files: the handler gets the error, the worker lives on; exo keeps what it needs for itself" {
	hard=$(ulimit -Hn)
	eater 'limit_files = 64' 'instances = 4'
	give '"eat":"files","much":100'
	is .error.message 'OSError(24): /dev/null Too many open files'
	give ''
	is '.fields.limits[1]' 64
	[ "$(skynet status --json eater | jq -r '.[0].restarts')" = 0 ]
	exo=$(exo_pid)
	[ "$(awk '/^Max open files/ { print $4 }' "/proc/$exo/limits")" = "$hard" ]
	[ "$(skynet status --json eater | jq -r '.[0].workers')" = 4 ]
}

@test "CPU: SIGXCPU is named in the crash report, in the log and in the reply" {
	eater 'limit_cpu_s = 1' 'max_attempts = 1'
	give '"eat":"cpu"'
	is '.error.message | contains("killed by signal 24 (SIGXCPU)")' true
	wait_until 10 sh -c 'grep -q "killed by signal 24 (SIGXCPU)" "$1"' - "$H/log/eater/current"
	grep -q 'killed by signal 24 (SIGXCPU)' "$H"/spool/eater/failed/*/*/*.log
	give ''
	is .fields.__result__ true
	exo=$(exo_pid)
	grep -qE '^Max cpu time +unlimited' "/proc/$exo/limits"
}

@test "an executable has them too, and what it starts" {
	printf '#!/bin/sh\nulimit -n >&2\nsh -c "ulimit -t; exit 3" >&2\nexit 3\n' >"$CODE/limited.sh"
	chmod 755 "$CODE/limited.sh"
	printf '%s\n' '[participant]' 'limit_files = 77' 'limit_cpu_s = 99' >"$H/etc/eater.conf"
	skynet install -n eater "$CODE/limited.sh"
	skynet start eater
	give ''
	is .error.trace '["77","99"]'
}
