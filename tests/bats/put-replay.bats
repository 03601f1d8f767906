#!/usr/bin/env bats
# skynet put, show, spool, replay: without daemons here; with them in the tests of the bridge.

bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/spool.bash"
	. "$BATS_TEST_DIRNAME/../lib/wait.sh"
	spool_home
}

# Where python/ is in a build tree: beside the programs.
participant()
{
	spool_participant P1
}

# -- put

@test "put: help, usage, unknown participant, junk" {
	participant </dev/null
	run -0 skynet-put --help
	[[ $output == *"--wait"* ]]
	run -64 skynet-put
	run -64 skynet-put P1 a b
	run -64 skynet-put P1 --wait=soon /dev/null
	run -4 skynet-put P2 /dev/null
	run -65 skynet-put P1 /dev/null
	run -65 skynet-put P1 /nonexistent
}

@test "put: a spool that is not whole: what is missing, not that there is none" {
	participant </dev/null
	rm -r "$S/work/cur"
	run -78 skynet-put P1 "$SPOOL_DATA/simple.json"
	[[ $output == *"$S/work/cur is missing"* ]]
	run -78 spool-hold P1 x
	rm -r "$S"
	run -4 skynet-put P1 "$SPOOL_DATA/simple.json"
}

@test "put prints the name and warns of what does not run" {
	participant </dev/null
	run -0 --separate-stderr skynet-put P1 "$SPOOL_DATA/simple.json"
	cmp "$S/open/$output" "$SPOOL_DATA/simple.json"
	[[ $stderr == *"the bridge is not running"*"P1 is not running"* ]]
	mkdir -p "$SKYNET_HOME/run/amqp-spool" "$SKYNET_HOME/sv/skynet-amqp-spool"
	run -0 --separate-stderr flock "$SKYNET_HOME/run/P1/lock" skynet-put P1 - <"$SPOOL_DATA/simple.json"
	[[ $stderr != *"P1 is not running"* ]]
}

@test "put --wait times out with 124, and the workitem stays" {
	participant </dev/null
	run -124 skynet-put --wait=0.05 P1 "$SPOOL_DATA/simple.json"
	[ "$(ls "$S/open" | wc -l)" -eq 1 ]
}

# What exo and the bridge do, for the workitem that appears: serve done|failed OUTCOME REPLY.
serve()
{
	wait_until 10 sh -c 'set -- "$1"/open/2*; [ -s "$1" ]' - "$S"
	name=$(basename "$S"/open/2*)
	spool_claim P1 "$name"
	spool_result P1 "$name" "$2" "$3"
	if [ "$1" = failed ]; then
		mkdir -p "$S/failed/$(spool_bucket "$name")"
		echo 'why it failed' >"$S/failed/$(spool_bucket "$name")/$name.log"
	fi
	spool_finish P1 "$name" "$1" "$2" "$3"
}

@test "put --wait prints the reply; 0 if ok, 1 if not" {
	participant </dev/null
	serve done ok '{"reply":"ä"}' 3>&- &
	run -0 --separate-stderr skynet-put P1 --wait "$SPOOL_DATA/simple.json"
	[ "$output" = '{"reply":"ä"}' ]
	[[ $stderr == *"outcome: ok"* ]]
	wait
	serve done error '{"error":1}' 3>&- &
	run -1 --separate-stderr skynet-put P1 --wait "$SPOOL_DATA/simple.json"
	[ "$output" = '{"error":1}' ]
	[[ $stderr == *"outcome: error"* ]]
	wait
	serve failed crash '{"error":2}' 3>&- &
	run -1 --separate-stderr skynet-put --wait=30 P1 "$SPOOL_DATA/simple.json"
	[ "$output" = '{"error":2}' ]
	[[ $stderr == *"outcome: crash"*"why it failed"* ]]
	wait
}

@test "put --json: the name; with --wait outcome and reply" {
	participant </dev/null
	run -0 --separate-stderr skynet-put --json P1 "$SPOOL_DATA/simple.json"
	[ "$(jq -r '[.name, .participant, has("reply")] | @tsv' <<<"$output")" = "$(basename "$S"/open/2*)	P1	false" ]
	rm "$S"/open/2*
	serve done ok '{"big":123456789012345678901234567890}' 3>&- &
	run -0 --separate-stderr skynet-put --json P1 --wait "$SPOOL_DATA/simple.json"
	[ "$(jq -r '[.participant, .outcome] | @tsv' <<<"$output")" = 'P1	ok' ]
	[[ $output == *'"reply":{"big":123456789012345678901234567890}}' ]]
	wait
	serve failed crash '' 3>&- &
	run -1 --separate-stderr skynet-put --json --wait=30 P1 "$SPOOL_DATA/simple.json"
	[ "$(jq -rc '[.outcome, .reply]' <<<"$output")" = '["crash",null]' ]
	wait
}

@test "put --wait waits until the workitem is finished" {
	participant </dev/null
	half()
	{
		wait_until 10 sh -c 'set -- "$1"/open/2*; [ -s "$1" ]' - "$S"
		name=$(basename "$S"/open/2*)
		spool_claim P1 "$name"
		spool_result P1 "$name" ok '{}'
		mkdir -p "$S/done/$(spool_bucket "$name")"
		spool_record "$name" ok '{}' >"$S/done/$(spool_bucket "$name")/$SPOOL_JOURNAL" # retire.1, and the bridge is killed
	}
	half 3>&- &
	run -124 skynet-put P1 --wait=1 "$SPOOL_DATA/simple.json"
	wait
}

# -- show, spool

@test "show tells times, outcome, workitem and reply; --raw the bytes" {
	participant </dev/null
	name=$(put '{"big":123456789012345678901234567890,"f":1.0,"s":"\u0000ä"}' wf-1)
	run -0 skynet-show "$name"
	[[ $output == *"not yet"* && $output == *'"big": 123456789012345678901234567890'* && $output == *'"f": 1.0'* ]]
	spool_finish P1 "$name" done ok '{"r":[1,{}],"e":[]}'
	run -0 skynet-show wf-1
	[[ $output == *"(after 0.250 s)"* && $output == *"outcome      ok"* && $output == *"reply:"*'"e": []'* ]]
	skynet-show --raw "$name" | cmp - <(workitem '{"big":123456789012345678901234567890,"f":1.0,"s":"\u0000ä"}' wf-1)
}

@test "show --json: an array, workitem and reply in it as they came" {
	participant </dev/null
	name=$(put '{"big":123456789012345678901234567890,"f":1.0}' wf-1)
	run -0 skynet-show --json "$name"
	[ "$(jq -r '.[] | .name, .participant, .state, .wfid, .outcome, .reply' <<<"$output")" = "$name
P1
new
wf-1
null
null" ]
	[[ $output == *123456789012345678901234567890* && $output == *'"f":1.0'* ]]
	spool_finish P1 "$name" done ok '{"r":[1,{}],"esc":"'$'\302\233''"}'
	second=$(put '{"n":2}' wf-1)
	run -0 skynet-show --json wf-1
	[ "$(jq -rc '.[0] | .outcome, .sent, .attempts, .reply.r, .why' <<<"$output")" = 'ok
reply
2
[1,{}]
null' ]
	[ "$(jq -r '.[1].name' <<<"$output")" = "$second" ]
	[[ $output != *$'\302\233'* ]]
	spool_finish P1 "$second" failed error 'no JSON'
	echo because >"$S/failed/$(spool_bucket "$second")/$second.log"
	run -0 skynet-show --json "$second"
	[ "$(jq -rc '.[0] | .outcome, .reply, .why' <<<"$output")" = 'error
null
because' ]
	run -4 --separate-stderr skynet-show --json wf-2
	[ -z "$output" ]
	run -64 skynet-show --json --raw "$name"
}

@test "show: all workitems of a process, of every participant" {
	participant </dev/null
	a=$(put '{"n":1}' wf-1)
	spool_participant P2 </dev/null
	b=$(workitem '{"n":2}' wf-1 | spool-put P2)
	run -0 skynet-show wf-1
	[[ $output == *"$a"*----*"$b"* ]]
	run -0 skynet-show wf-1 P2
	[[ $output != *"$a"* ]]
	run -65 skynet-show 2
	run -65 skynet-show --raw wf-1
	run -4 skynet-show wf-2
	run -4 skynet-show wf-1 P3
	run -64 skynet-show
}

@test "show: what is no JSON, and control characters, leave the terminal alone" {
	participant </dev/null
	name=$(put '{"esc":"a\u009bb'$'\302\233''\u007f'$'\177''"}')
	run -0 skynet-show "$name"
	[[ $output == *'a\u009bb\u009b\u007f\u007f'* ]]
	spool_finish P1 "$name" failed invalid '{}'
	printf 'no \033[31mJSON' >"$S/failed/$(spool_bucket "$name")/$name.json"
	printf 'why \033[31m\n' >"$S/failed/$(spool_bucket "$name")/$name.log"
	run -0 skynet-show "$name"
	[[ $output == *"not JSON, 12 bytes"* && $output != *$'\033'* ]]
}

@test "spool dispatches to the tools" {
	participant </dev/null
	name=$(put)
	run -0 skynet-spool ls P1
	[[ $output == *"$name"* ]]
	run -0 skynet-spool --help
	run -64 skynet-spool
	run -64 skynet-spool nonsense
	run -4 skynet-spool show nothing
}

# -- replay

handler()
{
	participant <<'PY'
import os
import sys


class ParticipantHandler:
    def handle_lifecycle_control(self, ctrl):
        self.config = ctrl.config

    def handle_wi(self, wid):
        print("printed by the handler")
        self.log.info("logged by the handler")
        wid.fields.greeting = "hello " + str(wid.fields.who)
        wid.fields.env = os.environ.get("SHARED", "") + os.environ.get("OWN", "")
        wid.fields.configured = self.config.get("mine", "key", fallback=None)
        wid.fields.cwd = os.getcwd()
        wid.fields.argv = sys.argv[1:]
        if wid.fields.send:
            self.send_to_engine(wid)
        if wid.fields.boom:
            raise RuntimeError("boom")
PY
}

@test "replay runs the handler: reply on stdout, the rest on stderr, nothing changed" {
	handler
	printf 'SHARED=a b\nOWN=x\n' >"$SKYNET_HOME/etc/skynet.env"
	printf '# c\nexport OWN=c\nnonsense\n' >"$SKYNET_HOME/etc/P1.env"
	printf '[mine]\nkey = value\n' >"$SKYNET_HOME/etc/P1.conf"
	name=$(put '{"who":"ä","send":true}')
	before=$(cd "$SKYNET_HOME/spool" && find . -printf '%p %i %n %T@\n' | sort)
	run -0 --separate-stderr skynet-replay "$name"
	[ "$(jq -r '.fields|.greeting,.env,.configured,.cwd,(.argv|length)' <<<"$output")" = "hello ä
a bc
value
$SKYNET_HOME/sv/skynet-P1
0" ]
	[[ $stderr == *"printed by the handler"* && $stderr == *"logged by the handler"* ]]
	[[ $stderr == *"would send a message of "*"outcome ok, would send reply"* ]]
	[[ $stderr == *"P1.env:3: malformed"* ]]
	[ "$before" = "$(cd "$SKYNET_HOME/spool" && find . -printf '%p %i %n %T@\n' | sort)" ]
	run -0 --separate-stderr skynet-replay --raw "$name"
	[ "${#lines[@]}" -eq 1 ]
}

@test "replay finds what is open, done and failed, by name and WFID, and files" {
	handler
	name=$(put '{"who":"me"}' wf-1)
	run -0 --separate-stderr skynet-replay wf-1
	spool_finish P1 "$name" done ok '{}'
	run -0 --separate-stderr skynet-replay "${name:0:30}"
	path=$S/done/$(spool_bucket "$name")/$name.json
	run -0 --separate-stderr skynet-replay "$path"
	(cd "$(dirname "$path")" && skynet-replay "./$name.json" >/dev/null)
	cp "$path" "$BATS_TEST_TMPDIR/file.json"
	run -64 skynet-replay "$BATS_TEST_TMPDIR/file.json"
	run -0 --separate-stderr skynet-replay -p P1 "$BATS_TEST_TMPDIR/file.json"
	run -0 --separate-stderr skynet-replay -p P1 - <"$path"
	[ "$(jq -r .fields.greeting <<<"$output")" = "hello me" ]
	run -4 skynet-replay nothing
	run -4 skynet-replay -p P2 "$path"
	run -65 skynet-replay -p P1 /nonexistent
	run -65 skynet-replay -p P1 /dev/null
	[[ $output == *'no workitem: not a JSON object'* ]]
	run -65 skynet-replay -p P1 - <<<'[1]'
	run -64 skynet-replay -p ../x "$path"
	run -64 skynet-replay
	run -0 skynet-replay --help
}

@test "replay of an error is exit 1 and the error reply" {
	handler
	name=$(put '{"boom":true}')
	run -1 --separate-stderr skynet-replay "$name"
	[[ $(jq -r .error.message <<<"$output") == *boom ]]
	[[ $stderr == *"Traceback"* ]]
	printf 'import nonsense_module\n' >"$SKYNET_HOME/sv/skynet-P1/code.py"
	run -1 --separate-stderr skynet-replay "$name"
	[ -z "$output" ]
}

@test "replay --diff compares with the reply that was sent" {
	handler
	name=$(put '{"who":"me"}')
	run -4 skynet-replay --diff "$name"
	[[ $output == *"no reply was kept"* ]]
	reply=$(skynet-replay --raw "$name" 2>/dev/null)
	spool_finish P1 "$name" done ok "$(jq -S . <<<"$reply")" # other order, other white space
	run -0 --separate-stderr skynet-replay --diff "$name"
	[ -z "$output" ]
	sed -i s/hello/bye/ "$SKYNET_HOME/sv/skynet-P1/code.py"
	run -1 --separate-stderr skynet-replay --diff "$name"
	[[ $output == *'-    "greeting": "hello me"'*'+    "greeting": "bye me"'* ]]
}

@test "replay --enqueue only hands it in again" {
	handler
	name=$(put)
	spool_finish P1 "$name" failed crash '{}'
	run -0 --separate-stderr skynet-replay --enqueue "$name"
	[ -z "$stderr" ]
	cmp "$S/open/$output" "$S/failed/$(spool_bucket "$name")/$name.json"
	run -64 skynet-replay --enqueue --pdb "$name"
	run -65 skynet-replay --enqueue -p P1 /dev/null
}

@test "replay --pdb stops at the first line of handle_wi, and at an exception" {
	handler
	name=$(put '{"who":"me"}')
	run -0 --separate-stderr skynet-replay --pdb "$name" <<<"p wid.fields.who
c"
	[[ $stderr == *'print("printed by the handler")'* && $stderr == *"'me'"* ]]
	[ "$(jq -r .fields.greeting <<<"$output")" = "hello me" ]
	name=$(put '{"boom":true}')
	run -1 --separate-stderr skynet-replay --pdb "$name" <<<"c
p wid.fields.boom
q"
	[[ $stderr == *'raise RuntimeError("boom")'*True* ]]
	run -1 --separate-stderr skynet-replay --pdb "$name" <<<"q"
	[ -z "$output" ]
}

# -- with a real exo and a real bridge, brokerless

start_daemons()
{
	printf '[participant]\nmax_attempts = 1\n' >"$SKYNET_HOME/etc/P1.conf"
	mkdir -p "$SKYNET_HOME/run/amqp-spool"
	(cd "$SKYNET_HOME/sv/skynet-P1" && exec "$SPOOL_BIN/exo" --home "$SKYNET_HOME" P1) >"$BATS_TEST_TMPDIR/exo.log" 2>&1 3>&- &
	EXO=$!
	"$SPOOL_BIN/amqp-spool" --home "$SKYNET_HOME" >"$BATS_TEST_TMPDIR/bridge.log" 2>&1 3>&- &
	BRIDGE=$!
	wait_until 20 exo_runs # put says so on stderr otherwise
}

exo_runs() { grep -qs '^state: ready' "$SKYNET_HOME/run/P1/status"; }

teardown()
{
	[ -z "${EXO-}" ] || kill "$EXO" "$BRIDGE" 2>/dev/null || :
	[ -z "${EXO-}" ] || wait "$EXO" "$BRIDGE" || :
}

@test "with the daemons: put --wait, show, replay --diff, retry" {
	participant <<'PY'
import os


class ParticipantHandler:
    def handle_wi(self, wid):
        if wid.fields.die:
            os._exit(3)
        if wid.fields.boom:
            raise ValueError("boom")
        wid.fields.seen = True
PY
	start_daemons
	run -0 --separate-stderr skynet-put P1 --wait=30 <<<"$(workitem '{"x":1}' wf-1)"
	[ "$(jq .fields.seen <<<"$output")" = true ]
	[ "$stderr" = "outcome: ok" ]
	run -0 skynet-show wf-1
	[[ $output == *"done"*'"seen": true'* ]]
	run -0 --separate-stderr skynet-replay --diff wf-1
	run -1 --separate-stderr skynet-put P1 --wait=30 <<<"$(workitem '{"boom":true}')"
	[[ $stderr == *"outcome: error"* && $output == *boom* ]]
	run -1 --separate-stderr skynet-put P1 --wait=30 <<<"$(workitem '{"die":true}' wf-die)"
	[[ $stderr == *"outcome: crash"* ]]
	run -0 spool-ls --state failed
	[[ $output == *"wf-die 0_1"* ]]
	[ -n "$(spool-show wf-die --log)" ]
	run -0 spool-retry P1 wf-die
	wait_until 30 sh -c '[ "$(spool-ls --state failed | wc -l)" -eq 2 ]'
}

@test "with the daemons: hold, release, check and a thousand workitems" {
	participant </dev/null
	start_daemons
	skynet-put P1 --wait=30 <<<"$(workitem '{}')" >/dev/null
	kill -STOP "$EXO"
	name=$(put '{"n":1}' wf-held)
	spool-hold P1 wf-held
	kill -CONT "$EXO"
	skynet-put P1 --wait=30 <<<"$(workitem '{"n":2}')" >/dev/null
	[ -e "$S/open/$name" ]
	run -0 spool-check
	spool-release P1 wf-held
	wait_until 30 sh -c '[ "$(spool-ls --state done | wc -l)" -eq 3 ]'
	mkdir "$BATS_TEST_TMPDIR/many"
	for ((i = 0; i < 1000; i++)); do workitem "{\"i\":$i}" >"$BATS_TEST_TMPDIR/many/$i"; done
	spool-put P1 "$BATS_TEST_TMPDIR"/many/* >/dev/null
	run -0 spool-check # nothing that is only on its way is a finding
	wait_until 60 sh -c '[ "$(spool-ls --state done | wc -l)" -eq 1003 ]'
	run -0 spool-check --deep --repair
	[ "$output" = "0 findings, 0 repaired" ]
}

# -- the system home, in a mount namespace of its own

system_home()
{
	set -eu
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/up /mnt/work
	mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/up,workdir=/mnt/work /etc
	mount -t tmpfs tmpfs /run
	mount -t tmpfs tmpfs /var/spool
	mkdir -p /etc/skynet/sv/skynet-P1 /var/spool/skynet /run/skynet/P1
	printf '[skynet]\nuser = daemon\n[participant]\nuser = nobody\ngroups = audio\n' >/etc/skynet/skynet.conf
	printf 'OWN=yes\n' >/etc/skynet/P1.env
	: >/etc/skynet/sv/skynet-P1/config.exo
	printf '%s\n' 'import os' 'class ParticipantHandler:' '    def handle_wi(self, wid):' \
		'        wid.fields.who = [os.getuid(), os.geteuid(), os.getgroups(), os.environ["USER"], os.environ["OWN"]]' \
		>/etc/skynet/sv/skynet-P1/code.py
	skynet-mkspool P1
	umask 077
	name=$(skynet-put P1 "$SPOOL_DATA/simple.json" 2>/dev/null)
	stat -c '%U %a' "/var/spool/skynet/P1/open/$name"
	spool-check
	chgrp root /var/spool/skynet/P1/open
	chown root "/var/spool/skynet/P1/open/$name"
	spool-check | cut -d' ' -f1 || :
	spool-check --repair >/dev/null
	spool-check
	skynet-replay --raw "$name" 2>/dev/null | jq -c .fields.who
	setpriv --reuid=nobody --clear-groups skynet-put P1 "$SPOOL_DATA/simple.json" 2>/dev/null || echo "put by nobody: $?"
	setpriv --reuid=nobody --clear-groups spool-show "$name" 2>/dev/null || echo "show by nobody: $?"
	setpriv --reuid=nobody --regid=games --groups=adm spool-ls P1 | cut -c1-3
	setpriv --reuid=nobody --regid=games --groups=adm spool-show P1 "$name" --body | cmp - "$SPOOL_DATA/simple.json"
	setpriv --reuid=nobody --regid=games --groups=adm spool-check P1 2>/dev/null || echo "check by adm: $?"
}

@test "system home: files belong to the bridge, the handler runs as its user, adm may look" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	unshare -m true || skip "needs a mount namespace"
	participant </dev/null
	unset SKYNET_HOME
	chmod 755 "$BATS_TEST_TMPDIR"
	setpriv --reuid=nobody --clear-groups test -r "$SPOOL_BIN/exo-python" -a -r "$SPOOL_DATA/simple.json" ||
		skip 'the tree cannot be read by others'
	export -f system_home
	run -0 unshare -m bash -c system_home
	echo "$output"
	[ "$output" = "daemon 644
0 findings, 0 repaired
layout-owner
file-owner
2
0 findings, 0 repaired
[$(id -u nobody),$(id -u nobody),[$(getent group audio | cut -d: -f3),$(id -g nobody)],\"nobody\",\"yes\"]
put by nobody: 77
show by nobody: 77
new
0 findings, 0 repaired; not everything could be checked
check by adm: 77" ]
}
