#!/usr/bin/env bats
# skynet launch, register, unregister: what the engine gets, and what is refused; query and cancel --remote. With a real broker.
# shellcheck disable=SC1091,SC2016,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/cli.bash"
	file_home
	export PATH=$ROOT/bin:$PATH
	home_make "$T/homes/h"
	REGISTER='Ruote.process_definition do sequence do boss_register end end'
	UNREGISTER='Ruote.process_definition do sequence do boss_register :action => "unregister" end end'
}

teardown()
{
	kill_pids
	[ -z "${OPEN:-}" ] || rm -rf "$OPEN"
	home_cleanup
}

# The launch item, without the broker's part.
item() { skynet launch --print "$@"; }
is_item() { diff <(jq -S . <<<"$output") <(jq -S . <<<"$1"); }
# field EXPRESSION: of the item that was taken from the engine's queue.
field() { jq -r "$1" "$REPLIES/r.1"; }
record() { grep -v '^#' "$H/lib/registered" | cut -f 2-; }

# --- what becomes an item ---

@test "launch: a definition as text, as a tree, as an item" {
	run -0 item - <<<'Ruote.process_definition { "ä" }'
	is_item '{"definition":"Ruote.process_definition { \"ä\" }\n","fields":{},"variables":{}}'
	run -0 item - <<<$' define x\n  a'
	is_item '{"definition":" define x\n  a\n","fields":{},"variables":{}}'
	run -0 item - <<<'["sequence",{},[]]'
	is_item '{"definition":["sequence",{},[]],"fields":{},"variables":{}}'
	run -0 item - <<<$'\xef\xbb\xbf {"definition":"x","fields":{"a":1},"more":[1]}'
	is_item '{"definition":"x","fields":{"a":1},"more":[1],"variables":{}}'
}

@test "launch --field and --variable: JSON or text, nested, later ones win, no byte of the rest changes" {
	run -0 item -f a=1 -f b=x -f 'c="1"' -f 'd=[1, {"e":null}]' -f e= -f f.g.h=true -f f.g.i='{' --variable v.w=2 -f a=3 -f 'k=a=b' - <<<x
	is_item '{"definition":"x\n","fields":{"a":3,"b":"x","c":"1","d":[1,{"e":null}],"e":"","f":{"g":{"h":true,"i":"{"}},"k":"a=b"},"variables":{"v":{"w":2}}}'
	run -0 item -f a.b=1 -f z=ä - <<<'{"definition":"x","fields":{"n":12345678901234567890123,"f":1.0,"s":"\u0000","a":[1]}}'
	has '"n":12345678901234567890123'
	has '"f":1.0'
	has '"s":"\u0000"'
	has '"a":{"b":1}'
	has '"z":"ä"'
	for bad in a =1 '' .=1 a.=1 .a=1 a..b=1; do
		run -64 item --field "$bad" - <<<x
	done
	run -65 item --field $'a=\xff' - <<<x
	run -64 item --field "$(printf 'a.%.0s' {1..40})b=1" - <<<x
}

@test "launch refuses what is no launch item, and publishes nothing" {
	engine_queue
	for text in '' '  ' '{}' '{"fields":{}}' '{"definition":null}' '{"definition":""}' '{"definition":7}' '{"definition":[]}' '{"definition":{}}' \
		'{"definition":"x","fei":{},"fields":{}}' '{"definition":"x","fei":1}' '{"definition":"x","fields":[]}' '{"definition":"x","variables":1}' \
		'{"definition":"x"' '{"definition":"x"} y' '["sequence"' '[]' $'\xff' $'a\xc3' $'{"definition":"\xff"}' '{"definition":"x","definition":null}'; do
		run -65 skynet launch - <<<"$text"
	done
	head -c 10 /dev/zero >"$T/nul"
	run -65 skynet launch "$T/nul"
	run -65 skynet launch "$T/missing"
	run -65 skynet launch "$ROOT/examples/failing/raise.json" # a workitem
	has 'a workitem, not a launch item'
	run -64 skynet launch
	run -64 skynet launch a b
	no_more
}

# --- to the broker ---

@test "launch: the engine's queue has it, persistent" {
	engine_queue
	run -0 skynet launch -f a=ä - <<<'Ruote.process_definition do end'
	[ -z "$output" ]
	take 1
	[ "$(field .definition)" = 'Ruote.process_definition do end' ]
	[ "$(field .fields.a)" = ä ]
	[ "$(jq -r .delivery_mode "$REPLIES.props")" = 2 ]
	# large, and binary for a shell
	"$BROKER_PYTHON" -c 'import json,sys; sys.stdout.write(json.dumps({"definition": "x", "fields": {"pad": "y" * 3000000}}))' >"$T/big"
	run -0 skynet launch "$T/big"
	take 1
	[ "$(field '.fields.pad | length')" -eq 3000000 ]
}

@test "launch: no queue is 75, no broker 69, a stranger 69" {
	run -75 skynet launch - <<<x
	has "no queue $ENGINE"
	engine_queue
	home_set '[boss]' 'amqp_pwd = wrong'
	run -69 skynet launch - <<<x
	home_set '[boss]' "amqp_pwd = $BROKER_PASS" 'amqp_host = 127.0.0.1:1'
	run -69 skynet launch - <<<x
	has '127.0.0.1:1'
	home_set '[boss]' "amqp_host = 127.0.0.1:1, $BROKER_HOST:$BROKER_PORT" # the second host
	run -0 skynet launch - <<<x
	home_set '[boss]' 'amqp_host = none'
	run -69 skynet launch - <<<x
	has 'no broker'
	take 1
	no_more
}

@test "launch: a broker that blocks publishers: 124 after half a minute" {
	[ -n "${SKYNET_SLOW_TESTS:-}" ] || skip 'takes half a minute (SKYNET_SLOW_TESTS=1)'
	engine_queue
	BLOCKED=yes
	broker_block "$BROKER" on
	run -124 skynet launch - <<<x
	has 'did not confirm'
}

@test "launch: the credentials cannot be read (77), and stand in no message" {
	OPEN=$(mktemp -d) # the programs and a home where another user can get at them
	chmod 755 "$OPEN"
	mkdir -p "$OPEN/home/etc"
	cp "$LIBEXEC/amqp-call" "$LIBEXEC/skynet-launch" "$OPEN"
	printf '[boss]\namqp_host = %s:%s\namqp_password_file = pw\n' "$BROKER_HOST" "$BROKER_PORT" >"$OPEN/home/etc/skynet.conf"
	echo s3cret >"$OPEN/home/etc/pw"
	chmod 600 "$OPEN/home/etc/pw"
	as=
	if [ "$(id -u)" -eq 0 ]; then
		as='setpriv --reuid 12345 --regid 12345 --clear-groups'
	else
		chmod 0 "$OPEN/home/etc/pw"
	fi
	run -77 $as "$OPEN/skynet-launch" --home "$OPEN/home" - <<<x
	has "$OPEN/home/etc/pw"
	[[ $output != *s3cret* ]]
	printf '[boss]\namqp_host = %s:%s\namqp_pwd = s3cret\n' "$BROKER_HOST" "$BROKER_PORT" >"$OPEN/home/etc/skynet.conf"
	chmod 600 "$OPEN/home/etc/skynet.conf"
	[ "$(id -u)" -eq 0 ] || chmod 0 "$OPEN/home/etc/skynet.conf"
	run -77 $as "$OPEN/skynet-launch" --home "$OPEN/home" - <<<x
	has skynet.conf
	[[ $output != *s3cret* ]]
}

# --- register ---

install_p() { printf 'class ParticipantHandler: pass\n' >"$T/$1.py" && skynet install "${@:2}" "$T/$1.py"; }

@test "register by name, by regexp, all; the record, list, again" {
	engine_queue
	install_p a -q aq
	install_p b -r 'b|bb.*'
	install_p c -r 'c.*' -q cq
	run -0 skynet register a
	take 1
	[ "$(field .definition)" = "$REGISTER" ]
	[ "$(field '.fields | "\(.name) \(.queue)"')" = 'a aq' ]
	[ "$(record)" = $'a\taq\ta' ]
	run -0 --separate-stderr skynet register --all
	[[ $stderr == *'a has no regexp and is left out'* ]]
	take 2
	[ "$(jq -r '.fields | "\(.name) \(.queue)"' "$REPLIES"/r.1 "$REPLIES"/r.2)" = 'b|bb.* b
c.* cq' ]
	[ "$(record)" = $'a\taq\ta\nb\tb\tb|bb.*\nc\tcq\tc.*' ]
	run -0 skynet register c # replaces
	[ "$(record | wc -l)" -eq 3 ]
	run -0 skynet register --list
	[[ ${lines[0]} == NAME*QUEUE*REGISTERED*REGEXP ]]
	[[ ${lines[2]} =~ ^b\ +b\ +20.*Z\ +b\|bb\.\*$ ]]
	run -0 skynet register --list --json
	[ "$(jq -r '.[2].regexp' <<<"$output")" = 'c.*' ]
	run -0 skynet list --json
	[ "$(jq -r '.[] | "\(.name) \(.registered != null)"' <<<"$output")" = 'a true
b true
c true' ]
	printf '[participant]\nregexp = other\n' >"$H/etc/c.conf"
	run -0 --separate-stderr skynet register c
	[[ $stderr == *"still registered as 'c.*' too"* ]]
	[ "$(record | wc -l)" -eq 4 ]
	run -0 skynet register --regexp 'far .*' --queue 'far q'
	[ "$(record | tail -n 1)" = $'-\tfar q\tfar .*' ]
	run -4 skynet register nope
	run -64 skynet register
	run -64 skynet register --all a
	run -64 skynet register --regexp x
	run -64 skynet register --queue x a
}

@test "what could not be registered is not in the record" {
	install_p a
	run -75 skynet register a # no queue
	[ -z "$(record 2>/dev/null)" ]
	engine_queue
	run -78 skynet register --regexp $'a\tb' --queue q
	run -78 skynet register --regexp '' --queue q
	[ ! -s "$H/lib/registered" ]
	no_more
}

@test "unregister: by name, regexp and queue, all; never what is not in the record" {
	engine_queue
	install_p a -q aq
	install_p b -r 'b.*'
	run -4 skynet unregister a
	has 'catch-all'
	run -4 skynet unregister --regexp 'a'
	run -0 skynet unregister --all
	no_more
	skynet register a b
	skynet register --regexp x --queue xq
	take 3
	run -4 skynet unregister --regexp x --queue other
	run -0 skynet unregister --regexp x --queue xq
	take 1
	[ "$(field .definition)" = "$UNREGISTER" ]
	[ "$(field '.fields | "\(.name) \(.queue)"')" = 'x xq' ]
	run -0 skynet unregister b
	take 1
	[ "$(field .fields.name)" = 'b.*' ]
	run -4 skynet unregister b # twice: it would hit the catch-all
	[ "$(record)" = $'a\taq\ta' ]
	run -0 skynet unregister --force b
	take 1
	[ "$(field .fields.name)" = 'b.*' ]
	run -0 skynet unregister --force --regexp y
	take 1
	run -0 skynet unregister --all
	take 1
	[ "$(field .fields.name)" = a ]
	[ -z "$(record)" ]
	no_more
	run -64 skynet unregister
	run -64 skynet unregister --queue x
	run -64 skynet unregister --all a
}

@test "unregister refuses a regexp that does not match its own text" {
	engine_queue
	install_p a -r '^a.*$'
	install_p b -r '(?<x>b)'
	skynet register a b
	take 2
	run -1 skynet unregister a
	has 'does not match its own text'
	run -1 skynet unregister b
	[ "$(record | wc -l)" -eq 2 ]
	no_more
	run -0 skynet unregister --force a
	take 1
	[ "$(record | wc -l)" -eq 1 ]
}

@test "what could not be unregistered stays in the record" {
	engine_queue
	install_p a
	skynet register a
	take 1
	amqp delete "$ENGINE"
	run -75 skynet unregister a
	[ "$(record)" = $'a\ta\ta' ]
	home_set '[boss]' 'amqp_host = 127.0.0.1:1'
	run -69 skynet unregister a
	[ "$(record)" = $'a\ta\ta' ]
}

@test "many at once: the record has all of them" {
	engine_queue
	for n in 1 2 3 4 5 6; do skynet register --regexp "r$n" --queue q 3>&- & done
	wait
	[ "$(record | cut -f 3 | sort | tr '\n' ' ')" = 'r1 r2 r3 r4 r5 r6 ' ]
}

@test "a record that a person edited: what is no row is passed over" {
	printf '# x\n\nnonsense\na\tb\n2026\t\tq\tr\n2026\ta\tq\tr.*\twith tab\n2026\ta\tq\tr.*\n' >"$H/lib/registered"
	run -0 skynet register --list --json
	[ "$(jq -r '.[] | .regexp' <<<"$output")" = 'r.*' ]
}

@test "uninstall of what is registered warns" {
	engine_queue
	install_p a
	install_p aa
	skynet register a
	run -0 skynet uninstall aa
	[[ $output != *registered* ]]
	run -0 skynet uninstall a
	has 'skynet unregister a'
	run -0 skynet unregister a # the record is enough
}

# --- other hosts ---

# hosts SERVICE ANSWER…: a host each; an ANSWER is what it returns, '' nothing.
hosts()
{
	local service=$1 files=() n=0
	shift
	rm -f "$T/requests"
	for answer; do
		n=$((n + 1))
		printf '%s' "${answer:+{\"msgID\":\"@ID@\",\"return\":$answer\}}" >"$T/answer.$n"
		files+=("$T/answer.$n")
	done
	"$BROKER_PYTHON" "$BROKER_LIB/fake_air.py" "$T/requests" "$service" "${files[@]}" 3>&- &
	pids="$pids $!"
	wait_until 20 test -e "$T/requests"
}

NAME=20261122T105443.865116-0000-9f86d081884c7d65-wf-1
WORKER='{"id":"0-1","pid":47,"state":"busy","workitem":{"name":"'$NAME'","wfid":"wf-1","expid":"0_1","attempt":2,"since":"2026-11-22T10:54:43.865116Z"},"last_line":"at 7"}'
STATUS='{"type":"status","state":"ready","workers":['$WORKER']},{"type":"answer","name":"'$NAME'","answer":{"step":7}}'

@test "query --remote: the answers of all hosts, as a local query shows them" {
	hosts wf-1 \
		'{"host":"one","participants":{"P1":{"workitems":[{"name":"'$NAME'","state":"running"}],"lines":['"$STATUS"'],"code":0}}}' \
		'{"host":"two","participants":{"P2":{"workitems":[{"name":"x","state":"waiting","since":"2026"}],"lines":[],"error":"no exo runs"}}}'
	run -0 skynet query --remote wf-1
	has "one P1 $NAME"
	has 'attempt 2, worker pid 47'
	has '"step": 7'
	has 'two P2 x'
	has '  waiting since 2026'
	has 'two P2: no exo runs'
	[ "$(grep -c "$NAME" <<<"$output")" -eq 1 ]
	run -0 skynet query --remote --json --timeout 3 wf-1
	[ "$(jq -r '.[].host' <<<"$output" | sort | tr '\n' ' ')" = 'one two ' ]
	[ "$(jq -r '"\(.args) \(.kwargs.wait) \(.delivery_mode)"' "$T/requests")" = '["status"] 1000 2
["status"] 2000 2' ]
	jq -e '.msgID | test("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")' "$T/requests"
	jq -e --argjson now "$(date +%s)" '.deadline > $now - 60 and .deadline < $now + 60' "$T/requests"
	[ "$(jq -r .msgID "$T/requests" | sort -u | wc -l)" -eq 2 ]
}

@test "query --remote: no host has it open (4), none answers (75), no such WFID (64), no broker (69)" {
	SECONDS=0
	run -4 skynet query --remote --timeout 30 wf-1
	has 'no host has it open'
	[ "$SECONDS" -lt 20 ] # not after the timeout
	run -4 skynet query --remote --json wf-1
	has '[]'
	hosts P1.wf-1 ''
	run -4 skynet query --remote --timeout 0 wf-1 # however short: the broker knows that
	run -4 skynet query --remote wf-1
	run -75 skynet query --remote --timeout 0.5 --participant P1 wf-1
	has 'none answered'
	for bad in '' 'a b' 'a/b' .a "$(printf 'a%.0s' {1..129})"; do
		run -64 skynet query --remote -- "$bad"
	done
	run -64 skynet query --participant P1 wf-1
	run -64 skynet query --remote --participant 'a b' wf-1
	home_set '[boss]' 'amqp_host = none'
	run -69 skynet query --remote wf-1
}

@test "answers that are none, or hostile, are passed over or escaped" {
	hosts wf-1 '7' '"x"' '{"host":5,"participants":[1]}' '{"host":"a\u001b[2J","participants":{"P\u001b1":{"lines":[{"type":"status","workers":[{"workitem":{"name":"\u001b[1m"}}]},7],"code":"x","workitems":[3,{}]},"P2":9}}'
	printf 'nonsense' >"$T/answer.1"
	printf '{"msgID":"urn:uuid:other","return":{"host":"liar","participants":{}}}' >"$T/answer.2"
	run -0 skynet query --remote wf-1
	[[ $output != *liar* ]]
	[[ $output != *$'\e'* ]]
	has 'a\x1b[2J P\x1b1'
	run -0 skynet query --remote --json wf-1
	jq -e . <<<"$output"
	[[ $output != *$'\e'* ]]
}

@test "cancel --remote: events of all hosts; 0 ended, 75 still running, 3 no exo" {
	event() { printf '{"type":"cancel","name":"%s","wfid":"wf-1","event":"%s"}' "$NAME" "$1"; }
	hosts wf-1 '{"host":"one","participants":{"P1":{"lines":['"$(event requested),$(event finished)"'],"code":0}}}' \
		'{"host":"two","participants":{"P1":{"lines":['"$(event withdrawn)"'],"code":0}}}'
	run -0 skynet cancel --remote wf-1
	has "one P1 $NAME requested"
	has "one P1 $NAME finished"
	has "two P1 $NAME withdrawn"
	[ "$(jq -c '[.args, .kwargs.wait, .kwargs.kill]' "$T/requests")" = '[["cancel"],1000,null]' ]
	run -0 skynet cancel --remote --wait 0.5 --kill=7 --json wf-1
	[ "$(jq -r .host <<<"$output" | sort | tr '\n' ' ')" = 'one two ' ]
	[ "$(tail -n 1 "$T/requests" | jq -c '[.kwargs.wait, .kwargs.kill]')" = '[500,7]' ]
	printf '{"msgID":"@ID@","return":{"host":"one","participants":{"P1":{"lines":[%s],"code":75}}}}' "$(event requested)" >"$T/answer.1"
	run -75 skynet cancel --remote wf-1
	has 'one P1: still running'
	printf '{"msgID":"@ID@","return":{"host":"one","participants":{"P1":{"lines":[],"error":"no exo runs"}}}}' >"$T/answer.1"
	run -3 skynet cancel --remote wf-1
	run -4 skynet cancel --remote wf-1 P1
}

@test "a real bridge: query and cancel --remote on two hosts" {
	CODE='import time
class ParticipantHandler:
    def status(self, wid):
        return {"step": self.step}
    def cancel(self, wid):
        self.over = True
        return "soon"
    def handle_wi(self, wid):
        self.over = False
        for self.step in range(1, 30000):
            time.sleep(0.02)
            if self.over:
                break
'
	engine_queue
	participant P1 "$CODE"
	bridge_start
	exo_start P1
	one=$H
	home_make "$T/homes/two"
	participant P2 "$CODE"
	bridge_start
	exo_start P2
	send P2 '{}' wf-air
	send P1 '{}' wf-air
	both() { run -0 skynet query --remote wf-air && [[ $output == *P1* && $output == *P2* && $(grep -c '"step"' <<<"$output") -eq 2 ]]; }
	wait_until 30 both
	run -0 skynet query --remote --participant P1 wf-air
	has '"step"'
	[[ $output != *" P2 "* ]]
	run -0 skynet query --remote --json wf-air
	[ "$(jq -r '[.[].participants | keys[]] | sort | join(" ")' <<<"$output")" = 'P1 P2' ]
	run -0 skynet cancel --remote --wait 5 wf-air P2
	has acknowledged
	has finished
	[[ $output != *" P1 "* ]]
	run -0 skynet cancel --remote --wait 5 wf-air
	has " P1 "
	take 2
	gone() { run -4 skynet query --remote --timeout 1 wf-air; }
	wait_until 30 gone
	home_stop
	home_use "$one"
	home_stop
}
