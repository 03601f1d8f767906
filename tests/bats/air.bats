#!/usr/bin/env bats
# AIR (docs/BRIDGE.md): enquiries over a real broker about what is open, answered by the real bridge and exo.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

setup()
{
	file_home
	N=w$BATS_TEST_NUMBER # WFIDs of this test
}

HANDLER='import os, threading, time
class ParticipantHandler:
    gone = False
    def handle_lifecycle_control(self, ctrl):
        pass
    def status(self, wid):
        return {"step": wid.fields.n, "of": wid.wfid}
    def cancel(self, wid):
        self.gone = True
        return "leaving"
    def handle_wi(self, wid):
        f = wid.fields
        while f.wait and not os.path.exists(f.wait) and not self.gone:
            time.sleep(0.01)
        wid.result = not self.gone
        self.gone = False
'

air_home() # [AIR_AFTER] [LINE…]
{
	home_make "$HOMES/h"
	home_set '[skynet]' "air_after = ${1:-0.1}" 'sync_after = 0.05'
	participant P1 "$HANDLER"
	engine_queue
}

air() { "$BROKER_LIB/air.py" "$@"; }
# An answer is there, and as a jq expression wants it.
asks() # SERVICE JQ…
{
	local service=$1
	shift
	air "$service" status >"$T/answer" && jq -e "$@" "$T/answer" >/dev/null
}
unserved()
{
	local code=0
	air "$1" status --timeout 0.1 >/dev/null || code=$?
	[ "$code" -eq 1 ]
}
air_shows() { grep -qE "^air: $1" "$H/run/amqp-spool/status"; }
air_queues() { broker_ctl "$BROKER" -q list_queues --no-table-headers -p "$BROKER_VHOST" name exclusive | awk '$2 == "true" && /^amq.gen/' | wc -l; }
connections() { broker_ctl "$BROKER" -q list_connections --no-table-headers client_properties | grep -c 'SkyNET amqp-spool: AIR'; }

@test "status from afar: what the bridge, exo and the handler know; for W and for P.W; nothing when it is answered" {
	air_home
	participant P2 "$HANDLER"
	bridge_start
	exo_start P1
	exo_start P2
	send P1 "{\"wait\":\"$T/go\"}" $N-a
	send P1 '{}' $N-b
	send P2 "{\"wait\":\"$T/go\"}" $N-a
	wait_until 10 asks $N-a '.participants.P1.code == 0 and .participants.P2.code == 0'
	jq -e --arg w $N-a '.wfid == $w and .verb == "status" and (.host | length > 0) and (.participants | length == 2)' "$T/answer"
	jq -e '.participants.P1.workitems | length == 1 and .[0].expid == "0_0" and .[0].state == "running"' "$T/answer"
	[ "$(jq -r '.participants.P1.workitems[0].name' "$T/answer")" = "$(basename "$S"/../P1/open/*-$N-a)" ]
	# shellcheck disable=SC2016 # $w is jq's
	wait_until 10 asks $N-a --arg w $N-a '[.participants[].lines[] | select(.type == "answer") | .answer.of] == [$w, $w]'
	asks P2.$N-a '.participants | keys == ["P2"]'
	asks $N-b '.participants.P1.workitems[0].state == "waiting" or .participants.P1.workitems[0].state == "running"'
	unserved P2.$N-b
	unserved P1.$N-c
	touch "$T/go"
	take 3
	wait_until 10 unserved $N-a
	wait_until 10 unserved P2.$N-a
	wait_until 10 air_shows 'connected open=0 waiting=0 answered=[0-9]+ dropped=0 expired=0'
	[ "$(connections)" -eq 1 ]
}

@test "one participant's part of a process ends, the other's is served on" {
	air_home
	participant P2 "$HANDLER"
	bridge_start
	exo_start P1
	exo_start P2
	send P1 "{\"wait\":\"$T/go1\"}" $N
	wait_until 10 asks P1.$N .
	send P2 "{\"wait\":\"$T/go2\"}" $N # the channel is open already
	wait_until 10 asks P2.$N .
	touch "$T/go1"
	take 1
	wait_until 10 unserved P1.$N
	asks $N '.participants | keys == ["P2"]'
	asks P2.$N .
	touch "$T/go2"
	take 1
	wait_until 10 unserved $N
}

@test "cancel from afar: the handler is told and the engine gets an answer, also for one that waits" {
	air_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/never\"}" $N-a
	send P1 '{}' $N-b
	wait_until 10 asks $N-a '.participants.P1.workitems[0].state == "running"'
	wait_until 10 asks $N-b '.participants.P1.code == 0 or .participants.P1.code == 4'
	air $N-b cancel --kill 0.5 >"$T/answer" # exo takes whole seconds only, from 1 on
	jq -e '[.participants.P1.lines[].event] | contains(["withdrawn"])' "$T/answer"
	air P1.$N-a cancel --wait 5000 --timeout 8 >"$T/answer"
	jq -e '.verb == "cancel" and .participants.P1.code == 0' "$T/answer"
	jq -e '[.participants.P1.lines[] | .event] == ["requested", "acknowledged", "finished"]' "$T/answer"
	take 2
	"$BROKER_PYTHON" - "$REPLIES" "$N" <<-'PY'
		import json, pathlib, sys
		r = {d["fei"]["wfid"]: d for d in (json.loads(f.read_bytes()) for f in pathlib.Path(sys.argv[1]).iterdir())}
		assert r[sys.argv[2] + "-a"]["fields"]["__result__"] is False, r
		assert "error" in r[sys.argv[2] + "-b"], r
	PY
	wait_until 10 idle P1
}

@test "two hosts with the same process: skynet query --remote shows both, cancel --remote ends both" {
	air_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/never\"}" $N
	wait_until 10 asks $N '.participants.P1.code == 0'
	first=$H
	home_make "$HOMES/second" # the other host: it takes from another queue
	home_set '[skynet]' 'air_after = 0.1'
	participant P2 "$HANDLER"
	bridge_start
	exo_start P2
	send P2 "{\"wait\":\"$T/never\"}" $N
	two() { [ "$(air $N status --count 2 --timeout 2 | wc -l)" -eq 2 ]; }
	wait_until 20 two
	run -0 skynet-query --remote --timeout 5 $N
	[[ $output == *P1* && $output == *P2* ]]
	run -0 skynet-query --remote --json --timeout 5 $N
	run -0 skynet-cancel --remote --wait 8 $N
	echo "$output"
	take 2
	"$BROKER_PYTHON" -c 'import json,sys; assert all(json.load(open(f))["fields"]["__result__"] is False for f in sys.argv[1:])' "$REPLIES"/*
	home_use "$first"
}

@test "short work never pays: no connection, no thread; air_after = no: never" {
	air_home 30
	bridge_start
	exo_start P1
	send_many P1 200
	take 200
	send P1 "{\"wait\":\"$T/go\"}" $N
	wait_until 10 has_open P1 1
	[ "$(connections)" -eq 0 ]
	[ "$(find "/proc/$(bridge_pid)/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq 3 ]
	not air_shows .
	# HUP with a shorter time: now; and off again.
	home_set '[skynet]' 'air_after = 0.1'
	kill -HUP "$(bridge_pid)"
	wait_until 10 asks $N .
	home_set '[skynet]' 'air_after = no'
	kill -HUP "$(bridge_pid)"
	wait_until 10 unserved $N
	touch "$T/go"
	take 1
}

@test "what was open before the bridge started, and what was put by hand, is served" {
	air_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" $N-a
	wait_until 10 asks $N-a .
	kill -KILL "$(bridge_pid)"
	bridge_start
	wait_until 15 asks $N-a '.participants.P1.workitems[0].state == "running"'
	touch "$T/go"
	take 1
}

@test "no exo, an exo that hangs, a workitem that is held: the bridge says what it knows, others are not delayed" {
	air_home
	participant P2 "$HANDLER"
	bridge_start
	send P1 '{}' $N-a
	wait_until 10 asks $N-a '.participants.P1 | .error == "no exo runs" and .lines == [] and .workitems[0].state == "waiting"'
	spool-hold P1 $N-a
	asks $N-a '.participants.P1.workitems[0].state == "held"'
	spool-release P1 $N-a
	exo_start P1
	take 1
	exo_start P2
	send P1 "{\"wait\":\"$T/go\"}" $N-b
	send P2 "{\"wait\":\"$T/go\"}" $N-c
	wait_until 10 asks $N-b '.participants.P1.code == 0'
	wait_until 10 asks $N-c '.participants.P2.code == 0'
	STOPPED=$(exo_pid P1)
	kill -STOP "$STOPPED"
	# Ten for the one that hangs stand before one for the other.
	for i in 1 2 3 4 5 6 7 8 9 10; do
		air $N-b status --timeout 20 >"$T/slow.$i" 3>&- &
		slow="${slow:-} $!"
	done
	"$BROKER_PYTHON" - "$BROKER_LIB/air.py" $N-c <<-'PY'
		import subprocess, sys, time
		t = time.monotonic()
		subprocess.run([sys.argv[1], sys.argv[2], "status", "--timeout", "20"], check=True, stdout=subprocess.DEVNULL)
		print("took", time.monotonic() - t)
		# One after the other the ten would take 15 s.
		sys.exit(time.monotonic() - t > 8)
	PY
	for pid in $slow; do
		wait "$pid"
	done
	jq -se 'length == 10 and all(.participants.P1.error == "exo does not answer")' "$T"/slow.*
	jq -e '.participants.P1.workitems[0].state == "running"' "$T/slow.1"
	kill -CONT "$STOPPED"
	STOPPED=
	touch "$T/go"
	take 2
}

@test "what is answered waits, for its queue: the bridge still has it, exo knows it no more" {
	home_make "$HOMES/h" # without the engine's queue
	home_set '[skynet]' 'air_after = 0.1'
	participant P1 "$HANDLER"
	bridge_start
	exo_start P1
	send P1 '{}' $N
	wait_until 10 logged "no queue $ENGINE"
	wait_until 10 asks $N '.participants.P1 | .workitems[0].state == "waiting" and .code == 4 and .lines[0].workers == []'
	engine_queue
	take 1
	wait_until 10 unserved $N
}

@test "garbage is dropped, counted, and harms nobody: no JSON, no msgID, no reply_to, unknown verbs, 10 MB" {
	air_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" $N
	wait_until 10 asks $N .
	mkdir "$T/in"
	: >"$T/in/empty"
	printf 'junk' >"$T/in/junk"
	printf '[]' >"$T/in/array"
	printf '{"args":["status"]}' >"$T/in/nomsgid"
	printf '{"msgID":1,"args":["status"]}' >"$T/in/badmsgid"
	printf '{"msgID":"m","args":["launch"]}' >"$T/in/verb"
	printf '{"msgID":"m","args":"status"}' >"$T/in/noargs"
	printf '{"msgID":"m"}' >"$T/in/none"
	printf '{"msgID":"m","args":["status"],"deadline":"soon"}' >"$T/in/deadline"
	"$BROKER_PYTHON" -c 'print("{\"msgID\":\"" + "x" * 1000 + "\",\"args\":[\"status\"]}")' >"$T/in/longid"
	"$BROKER_PYTHON" -c 'print("{\"msgID\":\"m\",\"args\":[\"status\"],\"x\":\"" + "x" * 10000000 + "\"}")' >"$T/in/large"
	"$BROKER_PYTHON" -c 'print("[" * 60000)' >"$T/in/deep"
	for f in "$T"/in/*; do
		run -124 air $N --raw "$f" --timeout 0.1
	done
	printf '{"msgID":"m","args":["status"],"kwargs":7,"deadline":null,"more":[1]}' >"$T/fine"
	run -124 air $N --raw "$T/fine" --no-reply-to --timeout 0.1
	air $N --raw "$T/fine"
	wait_until 15 air_shows 'connected open=1 waiting=0 answered=[0-9]+ dropped=13 '
	[ "$(grep -c 'AIR: a request was dropped' "$H/log/bridge.txt")" -eq 1 ]
	[ "$(awk '/^VmRSS/{print $2}' "/proc/$(bridge_pid)/status")" -lt 60000 ] || readelf -d "$LIBEXEC/amqp-spool" | grep -q libasan
	touch "$T/go"
	take 1
}

@test "deadlines: what is late by more than 3 s is not answered" {
	air_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" $N
	wait_until 10 asks $N .
	air $N status --deadline 30
	air $N status --deadline -1
	run -124 air $N status --deadline -20 --timeout 1
	wait_until 15 air_shows 'connected .*expired=1$'
	touch "$T/go"
	take 1
}

@test "air_max: the others wait until one is closed" {
	air_home
	participant_set P1 'instances = 3'
	home_set '[skynet]' 'air_max = 2'
	bridge_start
	exo_start P1
	for i in 1 2 3; do
		send P1 "{\"wait\":\"$T/go$i\"}" $N-$i
	done
	wait_until 10 air_shows 'connected open=2 waiting=1 '
	served() { for i in 1 2 3; do unserved $N-$i || echo $i; done; }
	first=$(served)
	[ "$(echo "$first" | wc -l)" -eq 2 ]
	touch "$T/go${first%%[!0-9]*}"
	take 1
	two_others() { [ "$(served)" != "$first" ] && [ "$(served | wc -l)" -eq 2 ]; }
	wait_until 15 two_others
	touch "$T/go1" "$T/go2" "$T/go3"
	take 2
}

all_served() # COUNT
{
	"$BROKER_PYTHON" - "$N" "$1" <<-'PY'
		import json, os, sys
		import pika
		e = os.environ
		c = pika.BlockingConnection(pika.ConnectionParameters(
		    e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
		    pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
		ch = c.channel()
		ch.exchange_declare("AIR-response", "direct", durable=False)
		q = ch.queue_declare("", exclusive=True).method.queue
		ch.queue_bind(q, "AIR-response", q)
		count = int(sys.argv[2])
		for i in range(1, count + 1):
		    ch.basic_publish("AIR-request", f"20261122-{i:06d}", json.dumps(
		        {"msgID": str(i), "args": ["status"], "kwargs": {"wait": 0}, "deadline": None}),
		        pika.BasicProperties(reply_to=q))
		seen = set()
		for m, _p, body in ch.consume(q, auto_ack=True, inactivity_timeout=0.5): # what is not answered by then is asked again
		    if m is not None:
		        seen.add(json.loads(body)["return"]["wfid"])
		    if m is None or len(seen) == count:
		        break
		print(len(seen))
		sys.exit(len(seen) != count)
	PY
}

@test "50 WFIDs are open while the broker restarts: all are served again; and none is left behind" {
	air_home
	bridge_start
	send_persistent P1 50 "{\"wait\":\"$T/go\"}"
	wait_until 20 air_shows 'connected open=50 waiting=0 '
	wait_until 10 all_served 50
	broker_restart "$BROKER"
	wait_until 60 air_shows 'connected open=50 waiting=0 '
	wait_until 20 all_served 50
	broker_close_connections "$BROKER"
	wait_until 60 logged 'lost the connection for AIR.*CONNECTION_FORCED'
	wait_until 60 all_served 50
	[ "$(air_queues)" -eq 50 ]
	touch "$T/go"
	engine_queue
	exo_start P1
	wait_until 40 has_done P1 50
	wait_until 20 air_shows 'connected open=0 waiting=0 '
	[ "$(air_queues)" -eq 0 ]
}

@test "an exchange that somebody deletes is made again, and all is bound to it" {
	air_home
	participant_set P1 'instances = 2'
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" $N-a
	wait_until 10 asks $N-a .
	"$BROKER_PYTHON" - <<-'PY'
		import os
		import pika
		e = os.environ
		c = pika.BlockingConnection(pika.ConnectionParameters(
		    e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
		    pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
		c.channel().exchange_delete("AIR-request")
		c.close()
	PY
	send P1 "{\"wait\":\"$T/go\"}" $N-b # only this is noticed
	wait_until 10 logged 'lost the connection for AIR.*no exchange' # the client would make it, too
	wait_until 40 asks $N-b .
	wait_until 10 asks $N-a .
	touch "$T/go"
	take 2
}

@test "a broker that refuses AIR hurts nothing else" {
	air_home
	bridge_start
	exo_start P1
	broker_ctl "$BROKER" -q clear_permissions -p "$BROKER_VHOST" "$BROKER_USER"
	broker_ctl "$BROKER" -q set_permissions -p "$BROKER_VHOST" "$BROKER_USER" '^(?!AIR).*' '.*' '.*'
	send P1 "{\"wait\":\"$T/go\"}" $N
	wait_until 10 logged 'cannot connect to .* for AIR: ACCESS_REFUSED'
	touch "$T/go"
	take 1
	rm "$T/go"
	send P1 "{\"wait\":\"$T/go\"}" $N
	wait_until 10 has_open P1 1
	broker_ctl "$BROKER" -q set_permissions -p "$BROKER_VHOST" "$BROKER_USER" '.*' '.*' '.*'
	wait_until 40 asks $N .
	touch "$T/go"
	take 1
}

@test "the bridge stops within its time while enquiries are under way" {
	air_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" $N
	wait_until 10 asks $N .
	STOPPED=$(exo_pid P1)
	kill -STOP "$STOPPED"
	air $N status --wait 10000 --timeout 1 3>&- &
	enquiry=$!
	wait "$enquiry" || :
	pid=$(bridge_pid)
	kill -TERM "$pid"
	within 6 gone "$pid"
	kill -CONT "$STOPPED"
	STOPPED=
}
