#!/usr/bin/env bats
# The bridge against a real broker, with the real exo and worker behind it: what goes in, what comes out, what is kept.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and bats' subshells
bats_require_minimum_version 1.5.0

SECRET=s3cr3t-Pa55word-of-the-tests

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

setup_file()
{
	# Clients of the TLS listener must show a certificate; the plain one is beside it.
	BROKER_TLS_REQUIRE_CERT=true file_broker tls
	broker_ctl "$BATS_FILE_TMPDIR/broker" -q add_user secretive "$SECRET"
	broker_ctl "$BATS_FILE_TMPDIR/broker" -q set_permissions -p "$BROKER_VHOST" secretive '.*' '.*' '.*'
}

# A home with one participant P1, all of it running.
one_participant()
{
	home_make "$HOMES/h"
	participant P1
	engine_queue
	bridge_start
	exo_start P1
}

# Every file of DIR was stored byte by byte, where its kind belongs; every reply is its workitem with a result.
check_bodies() # DIR
{
	"$BROKER_PYTHON" - "$1" "$S" "$REPLIES" <<-'PY'
		import collections, hashlib, json, pathlib, sys
		sent, spool, replies = map(pathlib.Path, sys.argv[1:])
		exact = lambda b: json.loads(b, parse_float=lambda t: "float " + t)
		def kind(body):
		    try:
		        w = json.loads(body)
		    except ValueError:
		        return "junk"
		    if w.get("cancel") is True:
		        return "cancel"
		    return "forget" if w["fields"].get("params", {}).get("forget") is True else "work"
		files = {f.name: f.read_bytes() for f in sent.glob("*.json") if not f.name.endswith(".props.json")}
		kinds = collections.defaultdict(collections.Counter)
		for body in files.values():
		    kinds[kind(body)][body] += 1
		kept = lambda pattern: collections.Counter(f.read_bytes() for f in spool.glob(pattern))
		assert len(files) > 3 and kinds["work"]
		assert kept("done/*/*/*.json") == kinds["work"] + kinds["forget"], "done"
		assert kept("done/*/*/*.cancel") == kinds["cancel"], "cancel items"
		assert kept("failed/*/*/*.json") == kinds["junk"], "junk"
		wanted = collections.Counter()
		for body, n in kinds["work"].items():
		    w = exact(body)
		    w["fields"]["__result__"] = True
		    wanted[json.dumps(w, sort_keys=True)] += n
		got = collections.Counter(json.dumps(exact(f.read_bytes()), sort_keys=True) for f in replies.iterdir())
		assert got == wanted, (got - wanted, wanted - got)
		print({k: sum(v.values()) for k, v in kinds.items()})
	PY
}

all_finished() # DONE CANCELLED FAILED
{
	[ "$(done_count P1)" -eq "$1" ] && [ "$(done_files P1 '*.cancel' | wc -l)" -eq "$2" ] && has_failed P1 "$3" && idle P1
}

no_journal() { [ -z "$(ls "$H/spool/$1/work/result")" ]; }

# --- what the engine sends ---

@test "every sample of a real engine is kept byte by byte and answered, with the properties that replies have" {
	one_participant
	samples=$(find "$ROOT/tests/data/workitems" -name '*.json' ! -name '*.props.json')
	send_files P1 $(grep -L '"cancel":true' $samples)
	wait_until 20 idle P1 # a cancel item without an object in fei cancels the only one that is open
	send_files P1 $(grep -l '"cancel":true' $samples)
	cancels=$(grep -l '"cancel":true' $samples | wc -l)
	forgets=$(grep -l '"params":{[^}]*"forget":true' $samples | wc -l)
	junk=1
	[ "$cancels" -gt 3 ] && [ "$forgets" -ge 1 ]
	work=$(($(echo "$samples" | wc -l) - cancels - junk))
	wait_until 20 all_finished "$work" "$cancels" "$junk"
	take $((work - forgets))
	no_more
	check_bodies "$ROOT/tests/data/workitems"
	jq -se 'all(.content_type == "text/plain" and .delivery_mode == 2 and .exchange == "" and .redelivered == false)' \
		"$REPLIES.props"
	# message_id is the name in the spool.
	diff <(jq -r .message_id "$REPLIES.props" | sort) \
		<(done_files P1 | xargs grep -L '"params":{[^}]*"forget":true' | sed 's|.*/||; s|\.json$||' | sort)
	wait_until 5 unacked_is P1 0
	spool-check P1
}

@test "16 MB, any character, empty and dotted keys, large integers: bytes are bytes" {
	mkdir "$T/in"
	"$BROKER_PYTHON" - "$T/in" <<-'PY'
		import pathlib, sys
		d = pathlib.Path(sys.argv[1])
		fei = '"fei":{"engine_id":"engine","wfid":"20261122-%s","subid":"s","expid":"0_0"}'
		fields = {
		    "nonascii": '"ä":"žluťoučký 日本 \U0001f680","params":{}',
		    "nul": '"a":"x\\u0000y","b\\u0000c":"\\ud83d\\ude80 \\/"',
		    "keys": '"":1,"a.b.c":{"":{"x.y":[]}},"Core:Testing":null',
		    "numbers": '"big":9007199254740993,"huge":123456789012345678901234567890,"one":1.0,"e":1.5e+300,"z":-0.0',
		    "white": '"x" : [ 1 , 2 ]\n,"y":\t{ }',
		    "empty": "",
		    "large": '"pad":"' + "äx" * (16 * 1024 * 1024 // 3) + '"',
		}
		for name, text in fields.items():
		    (d / f"{name}.json").write_bytes(('{"fields":{%s},%s,"extra":{"k":"v"}}' % (text, fei % name)).encode())
		(d / "order.json").write_bytes(('{%s , "fields":{"fei":1}}\n' % (fei % "order")).encode())
	PY
	one_participant
	send_files P1 "$T"/in/*.json
	wait_until 40 has_done P1 8
	take 8 40
	no_more
	check_bodies "$T/in"
}

@test "what is no workitem is kept in failed/ with the reason, acked, and never answered" {
	mkdir "$T/in"
	printf 'just text' >"$T/in/text"
	printf '[1,2]' >"$T/in/array"
	printf '{"fields":{}}' >"$T/in/nofei"
	printf '{"fei":"text","fields":{}}' >"$T/in/badfei"
	printf '{"fei":{"wfid":"w"}}' >"$T/in/nofields"
	printf '{"fei":{"wfid":"w"},"fields":{"a":"\377"}}' >"$T/in/badutf8"
	printf '{"fei":{"wfid":"w"},"fields":{}}x' >"$T/in/trailing"
	: >"$T/in/empty"
	one_participant
	send_files P1 "$T"/in/*
	wait_until 10 has_failed P1 8
	cmp <(cat "$T"/in/* | sort) <(failed_files P1 | xargs cat | sort)
	for f in $(failed_files P1); do
		[ -s "${f%.json}.log" ]
	done
	failed_files P1 '*.log' | xargs cat | grep -q 'not JSON'
	failed_files P1 '*.log' | xargs cat | grep -q 'no object in fei'
	wait_until 5 unacked_is P1 0
	# It is not in the way of what follows, and still nothing was answered.
	send P1
	take 1
	[ "$(reply 'd["fields"]["__result__"]')" = True ]
	no_more
}

@test "a body over max_size: its first bytes are kept, the log says how many there were, no answer" {
	home_make "$HOMES/h"
	participant P1
	participant_set P1 'max_size = 3000'
	engine_queue
	bridge_start
	exo_start P1
	"$BROKER_PYTHON" -c 'print("{\"fields\":{\"a\":\"" + "x" * 300000 + "\"}}", end="")' >"$T/large"
	"$BROKER_PYTHON" -c 'print("{\"fei\":{\"wfid\":\"w\"},\"fields\":{\"a\":\"" + "x" * (3000 - 38) + "\"}}", end="")' >"$T/just"
	[ "$(stat -c %s "$T/just")" -eq 3000 ]
	send_files P1 "$T/large" "$T/just"
	wait_until 10 has_failed P1 1
	cmp <(head -c 3000 "$T/large") "$(failed_files P1)"
	grep -q "^$(stat -c %s "$T/large") bytes" "$(failed_files P1 '*.log')"
	wait_until 10 has_done P1 1
	wait_until 5 unacked_is P1 0
	amqp get "$ENGINE" >"$T/reply" # of the second one: exactly max_size is not over it
	no_more
}

@test "cancel items of all three forms are recorded and never answered" {
	printf '{"cancel":true,"fei":"#<Ruote::HashWrapper:0x00007f680f28a180>","flavour":null}' >"$T/string"
	printf '{"cancel":true,"fei":{"engine_id":"engine","wfid":"w","subid":"s","expid":"0"},"flavour":"kill"}' >"$T/object"
	printf '{"cancel":true,"flavour":"timeout"}' >"$T/none"
	one_participant
	send_files P1 "$T/string" "$T/object" "$T/none"
	wait_until 10 all_finished 0 3 0
	cmp <(sort "$T/string" "$T/object" "$T/none") <(done_files P1 '*.cancel' | xargs cat | sort) ||
		diff <(cat "$T/string" "$T/object" "$T/none" | fold -w 1 | sort) <(done_files P1 '*.cancel' | xargs cat | fold -w 1 | sort)
	wait_until 5 unacked_is P1 0
	send P1 # afterwards the participant goes on, and only that is answered
	take 1
	no_more
}

# --- replies ---

@test "forget: the work is done, nothing is sent" {
	one_participant
	send P1 '{"params":{"forget":true}}'
	wait_until 10 has_done P1 1
	result_body "$(done_files P1)" | grep -q '"__result__": *true'
	wait_until 5 unacked_is P1 0
	no_more
}

@test "an exception becomes an error reply that the engine understands, with the changes made so far" {
	one_participant
	participant_set P1 'error_class = StandardError'
	send P1 '{"raise":"bad thing ä"}'
	take 1
	[ "$(reply 'd["error"]["class"]')" = RuntimeError ]
	[ "$(reply 'd["error"]["message"]')" = 'ValueError: bad thing ä' ]
	[ "$(reply 'all(isinstance(t, str) for t in d["error"]["trace"]) and len(d["error"]["trace"]) > 0')" = True ]
	[ "$(reply 'd["fields"]["changed"]')" = True ]
	[ "$(reply 'd["fei"]["engine_id"]')" = engine ]
	wait_until 5 has_done P1 1
	no_more
	exo_stop P1
	exo_start P1
	send P1 '{"raise":"again"}'
	take 1
	[ "$(reply 'd["error"]["class"]')" = StandardError ]
}

@test "messages sent on the way and launches go out in order, before the reply" {
	home_make "$HOMES/h"
	participant P1 'from RuoteAMQP import Launcher
class ParticipantHandler:
    def send_to_engine(self, wi):
        raise NotImplementedError
    def handle_wi_control(self, ctrl):
        pass
    def handle_lifecycle_control(self, ctrl):
        pass
    def handle_wi(self, wid):
        for i in range(5):
            wid.fields.step = i
            self.send_to_engine(wid)
        Launcher(amqp_host="nowhere").launch("Ruote.process_definition {}", {"launched": True})
        wid.fields.step = "last"
        wid.result = True
'
	engine_queue
	export SKYNET_RECONCILE_S=1
	bridge_start
	unset SKYNET_RECONCILE_S
	exo_start P1
	send P1
	take 7
	for i in 1 2 3 4 5; do
		[ "$(reply 'd["fields"]["step"]' $i)" = $((i - 1)) ]
	done
	[ "$(reply 'd["fields"]["launched"] and "fei" not in d and d["definition"]' 6)" = 'Ruote.process_definition {}' ]
	[ "$(reply 'd["fields"]["step"]' 7)" = last ]
	no_more
	wait_until 5 has_done P1 1
	[ "$(done_files P1 '*.m000?' | wc -l)" -eq 6 ]
	wait_until 10 no_journal P1 # all of it is retired
}

@test "each finished workitem has a row in the history" {
	one_participant
	send P1 '{}' 20261122-1028-good
	send P1 '{"raise":"bad"}' 20261122-1028-bad
	send P1 '{"params":{"forget":true}}' 20261122-1028-forgotten
	wait_until 10 has_done P1 3
	rows()
	{
		"$BROKER_PYTHON" - "$H/lib/history.db" <<-'PY'
			import sqlite3, sys
			db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
			for r in db.execute("SELECT wfid, participant, outcome, failed, attempt, expid, bytes > 0, reply_bytes > 0, "
			                    "received_us <= started_us AND started_us <= finished_us AND finished_us <= retired_us, "
			                    "name FROM run ORDER BY wfid"):
			    print(*r)
		PY
	}
	three_rows() { [ "$(rows | wc -l)" -eq 3 ]; }
	wait_until 5 three_rows
	rows >"$T/rows"
	[ "$(cut -d' ' -f1-9 "$T/rows")" = "20261122-1028-bad P1 error 0 1 0_0 1 1 1
20261122-1028-forgotten P1 ok 0 1 0_0 1 1 1
20261122-1028-good P1 ok 0 1 0_0 1 1 1" ]
	diff <(cut -d' ' -f10 "$T/rows" | sort) <(done_files P1 | sed 's|.*/||; s|\.json||')
}

@test "brokerless: what is put is worked and retired, nothing is published" {
	home_make "$HOMES/h" none
	participant P1
	bridge_start brokerless
	exo_start P1
	printf '{"fei":{"wfid":"w1","expid":"0"},"fields":{}}' >"$T/wi"
	for _ in 1 2 3; do
		spool-put P1 "$T/wi"
	done
	wait_until 10 has_done P1 3
	spool_verify P1 3
	wait_until 5 spool-check P1
	bridge_shows 'participant.P1: brokerless'
	[ -z "$(find "/proc/$(bridge_pid)/fd" -lname 'socket:*')" ]
}

# --- queues and connections ---

@test "the participant's queue is declared durable, neither exclusive nor deleted at the end" {
	one_participant
	amqp declare "P1.$TAG" # refused if the arguments were others
	run -1 amqp declare --transient "P1.$TAG"
	bridge_stop
	[ "$(amqp length "P1.$TAG")" = 0 ]
}

@test "no engine queue: the reply is kept, and delivered once when there is one" {
	home_make "$HOMES/h"
	participant P1
	bridge_start
	exo_start P1
	send_many P1 3
	wait_until 10 logged "no queue $ENGINE"
	has_open P1 3
	[ "$(answers_waiting P1)" -eq 3 ]
	engine_queue
	take 3 20
	once 3
	wait_until 5 has_done P1 3
	no_more
}

@test "no broker at start, a list of hosts whose first is dead: connected when there is one" {
	broker_stop "$BROKER"
	home_make "$HOMES/h" "127.0.0.1:1, 127.0.0.1:$BROKER_PORT"
	participant P1
	bridge_start connecting
	exo_start P1
	wait_until 5 logged 'cannot connect to 127.0.0.1:1:'
	wait_until 10 logged "cannot connect to 127.0.0.1:$BROKER_PORT: connection refused"
	wait_until 10 logged "cannot connect to 127.0.0.1:$BROKER_PORT for replies: connection refused"
	broker_restart "$BROKER"
	engine_queue
	wait_until 60 state_is amqp-spool connected # after up to 30 s of back-off
	[ "$(status_of amqp-spool broker)" = "127.0.0.1:$BROKER_PORT" ]
	send P1
	take 1
	no_more
}

@test "HUP ends a back-off, of workitems and of replies" {
	# Bound and not listening: it refuses, and nobody else takes it.
	"$BROKER_PYTHON" - >"$T/port" <<-'PY' 3>&- &
		import socket, time
		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		print(s.getsockname()[1], flush=True)
		time.sleep(300)
	PY
	echo $! >>"$HOME_PIDS"
	wait_until 10 [ -s "$T/port" ]
	port=$(cat "$T/port")
	home_make "$HOMES/h" "127.0.0.1:$port"
	participant P1
	engine_queue
	bridge_start connecting
	# The fifth failure is followed by 8 to 16 s of waiting.
	refused() { [ "$(grep -c "$1: connection refused" "$H/log/bridge.txt")" -ge "$2" ]; }
	wait_until 40 refused 127.0.0.1:$port 5
	wait_until 40 refused 'for replies' 5
	workitems=$(grep -c "127.0.0.1:$port: connection refused" "$H/log/bridge.txt")
	replies=$(grep -c 'for replies: connection refused' "$H/log/bridge.txt")
	kill -HUP "$(bridge_pid)"
	within 4 refused 127.0.0.1:$port $((workitems + 1))
	within 4 refused 'for replies' $((replies + 1))
	# And what it finds then is used.
	sed -i "s/127.0.0.1:$port\$/$BROKER_HOST:$BROKER_PORT/" "$H/etc/conf.d/test.conf"
	kill -HUP "$(bridge_pid)"
	wait_until 20 _bridge_is connected 0
	exo_start P1
	send P1
	take 1
}

@test "a password file that is missing, or that others may read, is complained of" {
	home_make "$HOMES/h"
	sed -i 's/^amqp_pwd.*//' "$H/etc/conf.d/test.conf"
	home_set '[boss]' 'amqp_password_file = password'
	participant P1
	run -78 skynet-config --check
	[[ $output == *"error: amqp_password_file $H/etc/password: No such file"* ]]
	run -78 skynet-config --check -p P1
	bridge_spawn
	wait_until 10 gone "$bridge"
	bridge_shows 'state: config-error'
	grep -q '^reason: .*password' "$H/run/amqp-spool/status"
	mkdir "$H/etc/password"
	run -78 skynet-config --check
	rmdir "$H/etc/password"
	echo "$BROKER_PASS" >"$H/etc/password"
	chmod 644 "$H/etc/password"
	run -0 skynet-config --check
	[[ $output == *"warning: amqp_password_file $H/etc/password: everybody may read it"* ]]
	bridge_start
	logged 'warning: amqp_password_file .*everybody may read it'
	grep -q '^reason: .*everybody may read it' "$H/run/amqp-spool/status"
	chmod 600 "$H/etc/password"
	run -0 skynet-config --check
	[ -z "$output" ]
	kill -HUP "$(bridge_pid)"
	quiet() { not grep -q '^reason' "$H/run/amqp-spool/status"; }
	wait_until 5 quiet
	# Missing at a reload: the connections that there are live on, the status says it.
	rm "$H/etc/password"
	kill -HUP "$(bridge_pid)"
	shown() { grep -q '^reason: .*No such file' "$H/run/amqp-spool/status"; }
	wait_until 5 shown
	home_set '[boss]' 'amqp_host = none'
	run -0 skynet-config --check
	[ -z "$output" ]
}

@test "a wrong password: the status says so, and a reload takes the right one for both connections" {
	home_make "$HOMES/h"
	sed -i 's/^amqp_pwd.*//' "$H/etc/conf.d/test.conf"
	home_set '[boss]' 'amqp_password_file = password'
	(umask 077 && echo wrong >"$H/etc/password")
	participant P1
	bridge_spawn
	refused() { grep -q '^reason: cannot connect to .*ACCESS_REFUSED' "$H/run/amqp-spool/status"; }
	wait_until 10 refused
	wait_until 10 logged 'cannot connect to .* for replies: .*ACCESS_REFUSED'
	echo "$BROKER_PASS" >"$H/etc/password"
	kill -HUP "$(bridge_pid)"
	wait_until 20 _bridge_is connected 0
	not grep '^reason' "$H/run/amqp-spool/status"
}

@test "put --wait says what it waits for" {
	home_make "$HOMES/h"
	participant P1
	exo_start P1
	bridge_start
	printf '{"fields":{},"fei":{"wfid":"w","expid":"0"}}' >"$T/wi"
	run -124 skynet-put --wait=8 P1 "$T/wi"
	[[ $output == *"still waiting; amqp-spool: replies are kept: the broker has no queue $ENGINE"* ]]
	# Without a connection that is what it waits for.
	home_set '[boss]' 'amqp_host = 127.0.0.1:1'
	kill -HUP "$(bridge_pid)"
	refused() { grep -q '^reason: cannot connect to 127.0.0.1:1: ' "$H/run/amqp-spool/status"; }
	wait_until 10 refused
}

@test "a password in a configuration file that others may read is complained of" {
	home_make "$HOMES/h"
	run -0 skynet-config --check
	[ -z "$output" ]
	chmod 640 "$H/etc/conf.d/test.conf"
	run -0 skynet-config --check
	[ -z "$output" ]
	chmod 644 "$H/etc/conf.d/test.conf"
	run -0 skynet-config --check
	[[ $output == *"warning: amqp_pwd in $H/etc/conf.d/test.conf: everybody may read it"* ]]
	bridge_start
	logged 'warning: amqp_pwd in .*everybody may read it'
	grep -q '^reason: .*everybody may read it' "$H/run/amqp-spool/status"
}

@test "messages sent on the way while the bridge was down go out when it is up" {
	home_make "$HOMES/h"
	participant P1 'import os, time
class ParticipantHandler:
    def handle_wi(self, wid):
        for i in range(3):
            wid.fields.step = i
            self.send_to_engine(wid)
        while not os.path.exists(wid.fields.wait):
            time.sleep(0.01)
        wid.fields.step = "last"
'
	engine_queue
	exo_start P1
	bridge_start
	kill -STOP "$(bridge_pid)"
	STOPPED=$(bridge_pid)
	printf '{"fields":{"wait":"%s"},"fei":{"wfid":"w","expid":"0"}}' "$T/go" >"$T/wi"
	spool-put P1 "$T/wi"
	three() { [ "$(cat "$W"/result/*.results | grep -ac '^message: [1-3]$')" -eq 3 ]; }
	wait_until 10 three
	kill -KILL "$STOPPED"
	STOPPED=
	bridge_start
	touch "$T/go"
	take 4
	for i in 1 2 3; do
		[ "$(reply 'd["fields"]["step"]' $i)" = $((i - 1)) ]
	done
	[ "$(reply 'd["fields"]["step"]' 4)" = last ]
	no_more
}

@test "no engine queue: messages sent on the way are kept, and go out in order when there is one" {
	home_make "$HOMES/h"
	participant P1 'import os, time
class ParticipantHandler:
    def handle_wi(self, wid):
        for i in range(4):
            while not os.path.exists(wid.fields.wait + str(i)):
                time.sleep(0.01)
            wid.fields.step = i
            self.send_to_engine(wid)
        wid.fields.step = "last"
'
	bridge_start
	exo_start P1
	touch "$T/go0" "$T/go1"
	send P1 "{\"wait\":\"$T/go\"}"
	wait_until 10 logged "m0001: there is no queue $ENGINE; the message is kept"
	bridge_shows "reason: replies are kept: the broker has no queue $ENGINE"
	engine_queue
	# What is sent now does not overtake the first two.
	touch "$T/go2"
	take 3
	touch "$T/go3"
	cat "$REPLIES"/r.* >"$T/replies"
	[ "$(jq -c .fields.step "$T/replies" | tr -d '\n')" = 012 ]
	take 2
	[ "$(reply 'd["fields"]["step"]' 1)" = 3 ]
	[ "$(reply 'd["fields"]["step"]' 2)" = last ]
	no_more
	wait_until 10 has_done P1 1
	[ "$(done_files P1 '*.m000?' | wc -l)" -eq 4 ]
	not bridge_shows 'reason: replies are kept.*'
}

@test "the password is in no log, no state file, no command line and no environment" {
	home_make "$HOMES/h"
	home_set '[boss]' 'amqp_user = secretive' 'amqp_pwd = WRONG-pa55word'
	participant P1
	bridge_spawn
	wait_until 10 logged 'cannot connect to .*ACCESS_REFUSED'
	state_is amqp-spool connecting
	not grep -r 'WRONG-pa55word' "$H/log" "$H/run" "$H/lib"
	printf '%s\nsecond line\n' "$SECRET" >"$H/etc/password"
	home_set '[boss]' 'amqp_password_file = password'
	kill -HUP "$bridge"
	wait_until 20 _bridge_is connected 0
	# The second way to give it, with a participant beside it that shows all it can see.
	sed -i 's/^amqp_password_file.*//; s/^amqp_pwd.*//' "$H/etc/conf.d/test.conf"
	home_set '[boss]' "amqp_pwd = $SECRET"
	engine_queue
	home_set '[skynet]' 'log_level = debug'
	bridge_stop
	bridge_start
	exo_start P1
	send P1 '{"show":true}'
	take 1
	[ "$(reply 'd["fields"]["config"]["boss"]["amqp_user"]')" = secretive ]
	not grep -q "$SECRET" "$REPLIES/r.1"
	not grep -r "$SECRET" "$H/log" "$H/run" "$H/lib" "$H/spool"
	for pid in $(bridge_pid) $(exo_pid P1) $(worker_pid P1); do
		[ "$pid" -gt 1 ]
		not grep -a "$SECRET" "/proc/$pid/cmdline" "/proc/$pid/environ"
	done
}

@test "TLS: CA and client certificate; a wrong CA, or no certificate, is refused; verification can be switched off" {
	tls() # WHAT-TO-EXPECT-IN-THE-LOG LINE…
	{
		local want=$1
		shift
		: >"$H/log/bridge.txt"
		printf '[boss]\namqp_host = %s:%s\namqp_tls = yes\n' "$HOST" "$BROKER_TLS_PORT" >"$H/etc/conf.d/tls.conf"
		printf '%s\n' "$@" >>"$H/etc/conf.d/tls.conf"
		bridge_spawn
		wait_until 15 logged "$want"
		bridge_stop
	}
	home_make "$HOMES/h"
	participant P1
	engine_queue
	cp "$BROKER_TLS_CA" "$H/etc/ca.pem"
	cert="amqp_cert = $BROKER_TLS_CERT" key="amqp_key = $BROKER_TLS_KEY"
	HOST=localhost
	tls 'cannot connect.*: ' "amqp_ca = $BROKER_TLS_OTHER_CA" "$cert" "$key"
	not logged 'connected to'
	tls 'cannot connect' 'amqp_ca = ca.pem' # the broker wants a certificate
	not logged '^.*connected to'
	tls 'connected to' 'amqp_tls_verify = no' "$cert" "$key"
	tls 'connected to' 'amqp_ca = ca.pem' "$cert" "$key"
	bridge_start
	exo_start P1
	send P1
	take 1
}

@test "a broker that blocks publishers: workitems are still taken and worked on, replies go out afterwards" {
	one_participant
	send P1 # the publishing connection has to publish before the broker blocks it
	take 1
	BLOCKED=yes
	# What is published while the alarm is on would block, too: the workitems are in the queue before.
	kill -STOP "$(exo_pid P1)"
	send_many P1 20
	wait_until 10 has_open P1 20
	broker_block "$BROKER" on
	kill -CONT "$(exo_pid P1)"
	results() { [ "$(answers_waiting P1)" -eq 20 ]; }
	wait_until 10 results
	wait_until 10 state_is amqp-spool blocked
	has_open P1 20
	broker_block "$BROKER" off
	BLOCKED=
	wait_until 10 has_done P1 21
	take 20
	once 20
	no_more
	state_is amqp-spool connected
}

@test "a bridge killed while the broker blocks publishers: the next one says what it waits for, each reply goes out once" {
	one_participant
	send P1
	take 1
	BLOCKED=yes
	send_many P1 20 "{\"wait\":\"$T/go\"}"
	wait_until 10 has_open P1 20
	broker_block "$BROKER" on
	touch "$T/go"
	wait_until 10 state_is amqp-spool blocked
	kill -KILL "$bridge"
	wait_until 10 gone "$bridge"
	bridge_spawn
	wait_until 20 logged "replies: the broker still has the former bridge's connection"
	broker_block "$BROKER" off
	BLOCKED=
	wait_until 40 has_done P1 21
	take 20
	once 20
	no_more
}

@test "a bridge that is stopped: status says that it hangs, until it goes on" {
	export SKYNET_RECONCILE_S=0.5
	one_participant
	touch -d '5 minutes ago' "$H/run/amqp-spool/status" # it touches it
	is_not_old() { [ -n "$(find "$H/run/amqp-spool/status" -mmin -1)" ]; }
	wait_until 20 is_not_old
	STOPPED=$bridge
	kill -STOP "$STOPPED"
	run -0 "$ROOT/bin/skynet" status amqp-spool P1
	[[ ${lines[1]} == amqp-spool\ *connected* ]]
	touch -d '5 minutes ago' "$H/run/amqp-spool/status"
	run -3 "$ROOT/bin/skynet" status amqp-spool P1
	[[ ${lines[1]} == amqp-spool\ *hung* ]]
	kill -CONT "$STOPPED"
	STOPPED=
	wait_until 20 is_not_old
	run -0 "$ROOT/bin/skynet" status amqp-spool P1
	[[ ${lines[1]} == amqp-spool\ *connected* ]]
}

# Each is sent by the main thread, on the connection that the publisher's thread looks after.
@test "replies that go out one by one, while connections are lost, settings change and bridges are killed: each once" {
	home_make "$HOMES/h"
	participant P1 'import time
class ParticipantHandler:
    def handle_wi(self, wid):
        time.sleep(0.004)
'
	engine_queue
	bridge_start
	exo_start P1
	send_many P1 1200
	done_at_least() { [ "$(done_count P1)" -ge "$1" ]; }
	for i in 1 2 3 4 5 6 7 8; do
		wait_until 60 done_at_least $((i * 130))
		case $((i % 4)) in
		0)
			kill -KILL "$bridge"
			wait_until 10 gone "$bridge"
			bridge_start
			;;
		2)
			printf '[boss]\namqp_heartbeat = %s\n' $((20 + i)) >>"$H/etc/skynet.conf"
			kill -HUP "$bridge"
			;;
		*)
			broker_close_connections "$BROKER"
			kill -HUP "$bridge" # no back-off
			;;
		esac
	done
	wait_until 60 has_done P1 1200
	[ "$(grep -c 'lost the connection for replies' "$H/log/bridge.txt")" -ge 3 ]
	take 1200 60
	once 1200
	no_more
}

@test "heartbeats are kept while a handler and the bridge are busy" {
	home_make "$HOMES/h"
	home_set '[boss]' 'amqp_heartbeat = 2'
	participant P1
	participant_set P1 'prefetch = 1000'
	participant P2
	engine_queue
	bridge_start
	exo_start P1
	exo_start P2
	send P1 '{"seconds":6}'
	"$BROKER_PYTHON" -c 'print("{\"fei\":{\"wfid\":\"w\"},\"fields\":{\"pad\":\"" + "x" * (16 << 20) + "\"}}", end="")' >"$T/large"
	send_files P2 "$T/large" "$T/large" "$T/large"
	wait_until 60 has_done P2 3
	wait_until 10 has_done P1 1
	not logged 'lost the connection'
	amqp get "$ENGINE" --count 4 --raw "$T/r"
	no_more
}

@test "TERM ends the bridge within 5 s, also when the broker does not answer" {
	one_participant
	exo_stop P1
	read -r STOPPED _ <"$BROKER/pid"
	kill -STOP "$STOPPED"
	printf '{"fei":{"wfid":"w1","expid":"0"},"fields":{}}' >"$T/wi"
	spool-put P1 "$T/wi"
	exo_start P1 # a reply that cannot go out
	result_waits() { [ "$(answers_waiting P1)" -eq 1 ]; }
	wait_until 10 result_waits
	kill -TERM "$bridge"
	within 5 gone "$bridge"
	kill -CONT "$STOPPED"
	STOPPED=
	has_open P1 1
	bridge_start
	take 1
	wait_until 10 has_done P1 1
	no_more
}

# --- journals ---

# As workers do: the answers to the workitems whose names are read, into a new journal, or with --each into one of its own each.
#	good; bad: not what its digest says; foreign: whole, but of another process
journal() # good|bad|foreign… [--each]
{
	"$BROKER_PYTHON" - "$S" "$BROKER_LIB" "$@" 3<&0 <<-'PY'
		import hashlib, json, os, pathlib, sys, time
		spool, lib, *kinds = sys.argv[1:]
		sys.path.insert(0, lib)
		import answer
		each = kinds[-1] == "--each"
		kinds = [k for k in kinds if k != "--each"]
		records = []
		for name in os.fdopen(3).read().split():
		    for kind in kinds:
		        w = json.loads(pathlib.Path(spool, "open", name).read_bytes())
		        w["fields"]["answer"] = len(records)
		        if kind == "foreign":
		            w["fei"]["wfid"] += "x"
		        body = json.dumps(w).encode()
		        r = answer.record("ok", name, body)
		        if kind == "bad":
		            r = r.replace(hashlib.sha256(body).hexdigest().encode(), b"0" * 64)
		        records.append(r)
		us = time.time_ns() // 1000
		for i, text in enumerate(records if each else [b"".join(records)]):
		    leaf = time.strftime("%Y%m%dT%H%M%S", time.gmtime(us // 1000000)) + ".%06d-%d.results" % (us % 1000000, i + 1)
		    pathlib.Path(spool, "work/result", leaf).write_bytes(text)
	PY
}

# The names of what is open, and written. There is no exo: the test answers.
claimed() # COUNT
{
	local name
	wait_until 20 has_open P1 "$1"
	for name in "$S"/open/*; do
		wait_until 20 [ -s "$name" ]
		echo "${name##*/}"
	done
}
rejected() # NAME TIMES
{
	[ "$(grep -c "name=$1: the result is cut short or damaged" "$H/log/bridge.txt")" -eq "$2" ]
}

journals() { find "$W/result" -name '*.results' | wc -l; }

@test "a bridge killed with answers in journals, the broker away: the next one sends each once, then the journals go" {
	export SKYNET_RECONCILE_S=1
	one_participant
	send_many P1 40 "{\"wait\":\"$T/go\"}"
	wait_until 10 has_open P1 40
	broker_stop "$BROKER"
	wait_until 20 state_is amqp-spool connecting
	touch "$T/go"
	all_answered() { [ "$(answers_waiting P1)" -eq 40 ]; }
	wait_until 20 all_answered
	kill -KILL "$bridge"
	wait_until 5 gone "$bridge"
	bridge_start connecting
	exo_stop P1 # its worker's journal is only read from now on
	# What is not sent stays, however old it is.
	"$BROKER_PYTHON" -c 'import time; time.sleep(3)'
	all_answered
	broker_restart "$BROKER"
	engine_queue
	kill -HUP "$bridge"
	take 40 60
	once 40
	wait_until 10 has_done P1 40
	spool_verify P1 40
	wait_until 10 no_journal P1
	no_more
	spool-check P1
}

@test "killed between the confirm and the first retirement, more journals than are opened at a time: each answer goes out once" {
	export SKYNET_RECONCILE_S=1000
	home_make "$HOMES/h"
	participant P1
	participant_set P1 'hold = 5000' 'prefetch = 1000'
	engine_queue
	bridge_start
	send_many P1 700
	claimed 700 >"$T/names"
	bridge_stop
	journal good --each <"$T/names"
	[ "$(journals)" -eq 700 ]
	export SKYNET_FAIL=retire.1:kill
	bridge_spawn
	wait_until 30 gone "$bridge"
	[ "$(done_count P1)" -eq 0 ]
	unset SKYNET_FAIL
	bridge_start
	wait_until 30 has_done P1 700
	take 700 60
	once 700
	no_more
	[ "$(answer_count P1)" -eq 700 ]
	[ "$(journals)" -le 512 ] # the others went to make room, though none is old
}

@test "few descriptors: many journals are read all the same, and other participants go on" {
	export SKYNET_RECONCILE_S=1000
	home_make "$HOMES/h"
	participant P2
	participant P1
	participant_set P1 'hold = 5000' 'prefetch = 1000'
	engine_queue
	bridge_start
	send_many P1 300
	claimed 300 >"$T/names"
	bridge_stop
	journal good --each <"$T/names"
	bridge_spawn prlimit --nofile=128:128
	wait_until 20 _bridge_is connected 0
	exo_start P2
	send P2
	wait_until 30 has_done P2 1
	wait_until 30 has_done P1 300
	not logged 'Too many open files'
	amqp get "$ENGINE" --count 301 --raw "$T/r"
	no_more
}

@test "a journal of 16 MiB is left by its worker, and goes when all of it is retired, at once" {
	export SKYNET_RECONCILE_S=1000
	one_participant
	send P1
	take 1
	worker=$(worker_pid P1)
	first=$(ls "$W/result")
	send_many P1 40 '{"pad":1000000}'
	wait_until 60 has_done P1 41
	spool_verify P1 41
	[ "$(worker_pid P1)" = "$worker" ]
	# Three were begun; the first two are full.
	one_left() { [ "$(journals)" -eq 1 ]; }
	wait_until 10 one_left
	[ ! -e "$W/result/$first" ]
	[ "$(stat -c %s "$W"/result/*.results)" -lt $((16 << 20)) ]
	amqp get "$ENGINE" --count 40 --timeout 60 --raw "$T/r"
	no_more
}

@test "a worker whose journal was unlinked writes its next answer into another one" {
	export SKYNET_RECONCILE_S=1
	one_participant
	send P1
	take 1
	worker=$(worker_pid P1)
	[ "$(find "/proc/$worker/fd" -lname '*.results' | wc -l)" -eq 1 ]
	wait_until 10 no_journal P1
	[ "$(find "/proc/$worker/fd" -lname '*.results (deleted)' | wc -l)" -eq 1 ]
	send P1
	take 1
	wait_until 10 has_done P1 2
	spool_verify P1 2
	[ "$(worker_pid P1)" = "$worker" ]
	[ "$(find "/proc/$worker/fd" -lname '*.results*' | wc -l)" -eq 1 ]
	no_more
}

@test "of two answers the first that can be used counts; one that was rejected before a restart is not rejected again" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	bridge_start
	send P1
	name=$(claimed 1)
	bridge_stop
	echo "$name" | journal bad good
	# Nothing is handed to exo again: the bridge would die of it.
	export SKYNET_FAIL=deliver.3:kill
	bridge_start
	take 1
	[ "$(reply 'd["fields"]["answer"]')" = 1 ]
	wait_until 10 has_done P1 1
	[ "$(failed_files P1 '*.rejected' | wc -l)" -eq 1 ]
	bridge_stop
	unset SKYNET_FAIL
	bridge_start
	send P1
	name=$(claimed 1)
	echo "$name" | journal bad
	wait_until 10 rejected "$name" 1
	bridge_stop
	export SKYNET_FAIL=deliver.3:kill
	bridge_start
	wait_until 10 rejected "$name" 2
	echo "$name" | journal good
	take 1
	wait_until 10 has_done P1 2
	no_more
	has_failed P1 0
}

# One byte of what was answered in work/result is another one.
spoil() { "$BROKER_PYTHON" -c 'import sys
for path in sys.argv[1:]:
    with open(path, "r+b") as f:
        at = f.read().index(b"__result__")
        f.seek(at)
        f.write(b"S")' "$W"/result/*.results; }

# One workitem, $name, is answered in work/result; no bridge runs.
answered_unsent()
{
	one_participant
	bridge_stop
	printf '{"fei":{"wfid":"w1","expid":"0"},"fields":{"n":1}}' >"$T/wi"
	name=$(spool-put P1 "$T/wi")
	result_waits() { [ "$(answers_waiting P1)" -eq 1 ]; }
	wait_until 10 result_waits
}

@test "a result that is rejected: exo, which has seen it answered, runs the workitem again at once" {
	export SKYNET_RECONCILE_S=1000
	answered_unsent
	spoil
	bridge_start
	within 10 has_done P1 1 # exo looks every 30 s
	rejected "$name" 1
	take 1
	[ "$(reply 'd["fields"]["__result__"] and "error" not in d')" = True ]
	no_more
	[ -z "$(ls "$S/open")" ]
}

@test "a result that is rejected while exo is down: the workitem runs again, though its journal stays" {
	export SKYNET_RECONCILE_S=1
	answered_unsent
	exo_stop P1
	spoil
	(flock 9 && exec sleep 600) 9<"$(ls "$W"/result/*.results)" 3>&- & # nobody unlinks it
	holder=$!
	bridge_start
	wait_until 10 rejected "$name" 1
	exo_start P1
	within 15 has_done P1 1
	take 1
	no_more
	kill "$holder"
	[ -z "$(ls "$S/open")" ]
}

@test "a bridge that was killed while it handed a workitem to exo again: its next start does" {
	export SKYNET_RECONCILE_S=1000
	answered_unsent
	spoil
	# As it was left behind: what was rejected is kept, the bell was not rung.
	SKYNET_FAIL=deliver.3:kill bridge_spawn
	wait_until 20 gone "$bridge"
	[ -s "$(failed_files P1 "$name.rejected")" ]
	: >"$S/open/$name.again"
	bridge_start
	within 10 has_done P1 1
	take 1
	no_more
	[ -z "$(ls "$S/open")" ]
}

@test "killed when an error reply for a useless answer was sent: it is not sent again, nor the work done again" {
	home_make "$HOMES/h"
	participant P1
	participant_set P1 'max_attempts = 1'
	engine_queue
	n=0
	for kind in bad foreign; do
		n=$((n + 1))
		bridge_start
		send P1
		name=$(claimed 1)
		bridge_stop
		echo "$name" | journal "$kind"
		export SKYNET_FAIL=retire.1:kill
		bridge_spawn
		wait_until 20 gone "$bridge"
		export SKYNET_FAIL=deliver.3:kill
		bridge_start
		wait_until 10 has_failed P1 $n
		unset SKYNET_FAIL
		take 1
		[ "$(reply '"error" in d')" = True ]
		no_more
		idle P1
		[ -s "$(failed_files P1 "$name.rejected")" ]
		grep -q '^outcome: invalid' "$(failed_files P1 "$name.result")"
		bridge_stop
	done
}

@test "an answer to a workitem that somebody removed from open/ is kept in failed/, and not sent" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	bridge_start
	send_many P1 2
	name=$(claimed 2 | head -n 1)
	bridge_stop
	bridge_start # it has not read the body
	kill -STOP "$bridge"
	STOPPED=$bridge
	echo "$name" | journal good
	rm "$S/open/$name"
	kill -CONT "$bridge"
	STOPPED=
	orphaned() { [ -s "$(failed_files P1 "$name.result")" ] && [ -s "$(failed_files P1 "$name.log")" ]; }
	wait_until 20 orphaned
	has_done P1 0
	no_more
}

# --- acks, syncs, bounds ---

@test "slow work is acked when it is durable, long before its answer" {
	one_participant
	send_many P1 5 "{\"wait\":\"$T/go\"}"
	wait_until 10 has_open P1 5
	[ "$(unacked P1)" -ge 0 ]
	wait_until 5 unacked_is P1 0
	has_open P1 5
	[ "$(amqp length "P1.$TAG")" -eq 0 ]
	# What was acked survives a broker that forgets all: the bridge asks it for nothing.
	kill -KILL "$bridge"
	amqp purge "P1.$TAG"
	bridge_start
	touch "$T/go"
	take 5
	once 5
}

@test "fast work is answered before any sync is due, and none is done" {
	command -v strace >/dev/null || skip 'no strace'
	home_make "$HOMES/h"
	home_set '[skynet]' 'sync_after = 3'
	participant P1
	engine_queue
	bridge_spawn strace -f -qq -o "$T/trace" -e trace=fsync,fdatasync,syncfs
	wait_until 20 _bridge_is connected 0
	exo_start P1
	send P1 # the history database makes itself with a sync
	take 1
	wait_until 10 has_done P1 1
	bridge_row() { /usr/bin/python3 -c 'import sqlite3, sys
sys.exit(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM run").fetchone()[0] < int(sys.argv[2]))' "$H/lib/history.db" "$1"; }
	wait_until 10 bridge_row 1
	before=$(wc -l <"$T/trace")
	for _ in 1 2 3; do
		send_many P1 30
		take 30
	done
	wait_until 10 has_done P1 91
	wait_until 5 unacked_is P1 0
	wait_until 10 bridge_row 91
	tail -n +$((before + 1)) "$T/trace"
	[ "$(wc -l <"$T/trace")" -eq "$before" ]
	# The trace does see them: slow work is synced.
	send P1 '{"seconds":4}'
	synced() { [ "$(wc -l <"$T/trace")" -gt "$before" ]; }
	wait_until 10 synced
	kill -TERM "$(bridge_pid)"
}

@test "three participants, one hangs: prefetch and hold bound what is taken for it, the others go on; below half it is taken again" {
	home_make "$HOMES/h"
	home_set '[skynet]' 'sync_after = 0.2'
	for p in P1 P2 P3; do
		participant $p
		participant_set $p 'hold = 10' 'prefetch = 4'
	done
	S=$H/spool/P1
	engine_queue
	bridge_start
	exo_start P1
	exo_start P2
	exo_start P3
	send_many P1 50 "{\"wait\":\"$T/go\"}"
	wait_until 10 bridge_shows 'participant.P1: held'
	[ "$(open_count P1)" -ge 10 ]
	[ "$(open_count P1)" -le 14 ] # hold, and what was on its way: at most prefetch
	send_many P2 30
	send_many P3 30
	wait_until 15 has_done P2 30
	wait_until 15 has_done P3 30
	has_done P1 0
	bridge_shows 'participant.P2: consuming'
	[ "$(broker_queue_length "$BROKER" "P1.$TAG" consumers)" -eq 0 ]
	[ "$(amqp length "P1.$TAG")" -ge 36 ]
	touch "$T/go"
	wait_until 20 has_done P1 50
	wait_until 5 bridge_shows 'participant.P1: consuming'
	amqp get "$ENGINE" --count 110 --raw "$T/r"
	no_more
}

@test "what was unacked at a kill -9 comes again and joins its file" {
	home_make "$HOMES/h"
	home_set '[skynet]' 'sync_after = 30'
	participant P1
	engine_queue
	bridge_start
	exo_start P1
	send_many P1 40 "{\"wait\":\"$T/go\"}"
	wait_until 10 has_open P1 40
	unacked_is P1 40
	kill -KILL "$bridge"
	wait_until 5 gone "$bridge"
	bridge_start
	joined() { [ "$(grep -c 'sent it again' "$H/log/bridge.txt")" -eq 40 ]; }
	wait_until 10 joined
	has_open P1 40
	wait_until 10 unacked_is P1 0 # they were synced at the start
	touch "$T/go"
	take 40
	once 40
	wait_until 10 has_done P1 40
	no_more
}

@test "two bridges on one home: the second waits, and goes on when the first ends" {
	one_participant
	first=$bridge
	bridge_spawn
	second=$bridge
	wait_until 5 logged 'another amqp-spool works on'
	send P1
	take 1
	[ "$(bridge_pid)" = "$first" ]
	kill -KILL "$first"
	_second_runs() { [ "$(bridge_pid)" = "$second" ] && _bridge_is connected 0; }
	wait_until 10 _second_runs
	send P1
	take 1
	no_more
}

@test "HUP adds, changes and removes participants, and disturbs no other under load" {
	home_make "$HOMES/h"
	for p in P1 P2 P3; do
		participant $p
	done
	engine_queue
	bridge_start
	for p in P1 P2 P3; do
		exo_start $p
	done
	before=$bridge
	send_persistent P1 1500 &
	loader=$!
	P1_busy() { [ "$(done_count P1)" -ge 100 ]; }
	wait_until 20 P1_busy
	participant P4
	participant_set P2 "queue = new.$TAG" 'prefetch = 7'
	rm -r "$H/sv/skynet-P3"
	kill -HUP "$bridge"
	settled()
	{
		grep -q '^participant.P4: consuming' "$H/run/amqp-spool/status" &&
			grep -q '^participant.P2: consuming' "$H/run/amqp-spool/status" &&
			not grep -q '^participant.P3' "$H/run/amqp-spool/status"
	}
	wait_until 10 settled
	exo_start P4
	send P4
	_publish "new.$TAG" workitems 1 '' '' ''
	wait_until 20 has_done P4 1
	wait_until 20 has_done P2 1
	[ "$(broker_queue_length "$BROKER" "P2.$TAG" consumers)" -eq 0 ]
	[ "$(broker_queue_length "$BROKER" "P3.$TAG" consumers)" -eq 0 ]
	# 7 at a time, no more.
	_publish "new.$TAG" workitems 30 "{\"wait\":\"$T/go\"}" '' ''
	wait "$loader"
	wait_until 60 has_done P1 1500
	[ "$(bridge_pid)" = "$before" ]
	not logged 'lost the connection'
	touch "$T/go"
	wait_until 20 has_done P2 31
	amqp get "$ENGINE" --count 1532 --timeout 60 --props --raw "$T/r" >"$T/props"
	no_more
	[ "$(jq -r .message_id "$T/props" | sort -u | wc -l)" -eq 1532 ]
	# A wrong configuration changes nothing.
	participant_set P1 'prefetch = many'
	kill -HUP "$bridge"
	wait_until 5 logged 'bad configuration'
	send P1
	amqp get "$ENGINE" >/dev/null
}

@test "HUP with another prefetch while deliveries are unacked: what comes again joins its file" {
	home_make "$HOMES/h"
	home_set '[skynet]' 'sync_after = 600' # nothing is acked before it is answered
	participant P1
	engine_queue
	bridge_start
	send_many P1 5
	wait_until 20 has_open P1 5
	wait_until 20 unacked_is P1 5
	participant_set P1 'prefetch = 7'
	kill -HUP "$bridge"
	again() { [ "$(grep -c 'the broker sent it again, one file serves both' "$H/log/bridge.txt")" -eq 5 ] || ! has_open P1 5; }
	wait_until 20 again
	has_open P1 5
	exo_start P1
	take 5
	once 5
	wait_until 20 unacked_is P1 0
	wait_until 20 has_done P1 5
	no_more
	not logged 'lost the connection'
}

@test "HUP with another queue: an answer to what came from the former one acks nothing of the new one" {
	home_make "$HOMES/h"
	home_set '[skynet]' 'sync_after = 600'
	participant P1
	engine_queue
	bridge_start
	send P1
	wait_until 20 has_open P1 1
	former=$(ls "$S/open")
	participant_set P1 "queue = new.$TAG"
	kill -HUP "$bridge"
	consumed() { [ "$(broker_queue_length "$BROKER" "new.$TAG" consumers)" -eq 1 ]; }
	wait_until 20 consumed
	_publish "new.$TAG" workitems 1 '' 20261122-new ''
	wait_until 20 has_open P1 2
	"$SKYNET_LIBEXEC/spool-hold" P1 "$(ls "$S/open" | grep -v "$former")" # it is not answered
	exo_start P1
	take 1
	wait_until 20 has_done P1 1
	"$BROKER_PYTHON" -c 'import time; time.sleep(0.5)' # acks wait 5 ms
	[ "$(broker_queue_length "$BROKER" "new.$TAG" messages_unacknowledged)" -eq 1 ]
}

# A home whose broker is behind a bad line: OPTIONS of tests/lib/line.py.
home_behind() # OPTIONS...
{
	"$BROKER_LIB/line.py" "$BROKER_HOST" "$BROKER_PORT" "$@" >"$T/port" 3>&- &
	echo $! >>"$HOME_PIDS"
	wait_until 20 [ -s "$T/port" ]
	home_make "$HOMES/h" "127.0.0.1:$(cat "$T/port")"
}

@test "a line that breaks before a batch of replies is through: smaller ones get there, each once" {
	home_behind --cut 1000000
	participant P1
	engine_queue
	bridge_start
	send_many P1 40 '{"pad":100000}'
	wait_until 20 has_open P1 40
	kill -STOP "$bridge"
	exo_start P1
	answered() { [ "$(answers_waiting P1)" -eq 40 ]; }
	wait_until 20 answered
	kill -CONT "$bridge" # most of them are one batch
	wait_until 60 has_done P1 40
	logged 'replies=[0-9]*: the broker does not know them'
	take 40
	no_more
}

@test "HUP with another prefetch: nothing is said on a channel that is being closed" {
	home_behind --withhold "$T/late"
	home_set '[skynet]' 'sync_after = 600'
	participant P1
	engine_queue
	bridge_start
	exo_start P1
	send P1 # the engine's queue is known
	take 1
	send P1 "{\"wait\":\"$T/go\"}" 20261122-waits
	wait_until 20 has_open P1 1
	touch "$T/late"
	participant_set P1 'prefetch = 7'
	kill -HUP "$bridge"
	wait_until 20 logged 'HUP: configuration read'
	closed() { [ "$(broker_queue_length "$BROKER" P1.$TAG consumers)" -eq 0 ]; } # for the broker
	wait_until 20 closed
	touch "$T/go"
	wait_until 20 has_done P1 2 # its ack is due in 5 ms
	"$BROKER_PYTHON" -c 'import time; time.sleep(0.5)'
	kill -HUP "$bridge" # and a second one
	reads() { [ "$(grep -c 'HUP: configuration read' "$H/log/bridge.txt")" -eq "$1" ]; }
	wait_until 20 reads 2
	participant_set P1 'prefetch = 8'
	kill -HUP "$bridge"
	wait_until 20 reads 3
	rm "$T/late"
	wait_until 20 logged 'answered before, the broker sent it again'
	take 1
	send P1 '' 20261122-later
	take 1
	no_more
	not logged 'lost the connection'
}

@test "a queue that the broker refuses: another one by HUP is taken from at once" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	"$BROKER_PYTHON" - "P1.$TAG" <<-'PY'
		import os, sys
		import pika
		e = os.environ
		c = pika.BlockingConnection(pika.ConnectionParameters(
		    e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
		    pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
		c.channel().queue_declare(sys.argv[1], durable=True, arguments={"x-max-length": 9})
		c.close()
	PY
	bridge_start
	wait_until 20 logged 'the broker refuses it'
	participant_set P1 "queue = new.$TAG"
	kill -HUP "$bridge"
	within 10 bridge_shows 'participant.P1: consuming'
}

@test "HUP while the bridge waits for a former one: it lives, and reads the configuration again; TERM ends it" {
	home_make "$HOMES/h"
	participant P1
	bridge_start
	former=$bridge
	says() { [ "$(grep -c 'another amqp-spool works on' "$H/log/bridge.txt")" -eq "$1" ]; }
	bridge_spawn
	wait_until 20 says 1
	kill -TERM "$bridge"
	wait_until 20 gone "$bridge"
	bridge_spawn
	wait_until 20 says 2
	kill -HUP "$bridge"
	participant P2
	kill -TERM "$former"
	wait_until 20 gone "$former"
	wait_until 20 _bridge_is connected "$former"
	[ "$(bridge_pid)" = "$bridge" ]
	wait_until 20 logged 'HUP: configuration read'
	bridge_stop # its handlers are there
	[ "$(status_of amqp-spool state)" = down ]
}

@test "HUP removes a participant whose replies are on their way, and it comes back: each reply goes out once" {
	one_participant
	send P1 # so that the queue is known to exist
	take 1
	wait_until 10 idle P1
	exo_stop P1
	send_many P1 30
	claimed 30 >"$T/names"
	read -r STOPPED _ <"$BROKER/pid"
	kill -STOP "$STOPPED"
	journal good <"$T/names"
	wait_until 10 grep -q "$(head -n 1 "$T/names")" "$H/run/amqp-spool/outbox"
	mv "$H/sv/skynet-P1" "$T/away"
	kill -HUP "$bridge"
	wait_until 10 logged 'participant=P1: gone'
	mv "$T/away" "$H/sv/skynet-P1"
	kill -HUP "$bridge"
	came_back() { [ "$(grep -c 'participant=P1 queue=' "$H/log/bridge.txt")" -eq 2 ]; }
	wait_until 10 came_back
	kill -CONT "$STOPPED"
	STOPPED=
	take 30
	wait_until 20 has_done P1 31
	no_more
	[ "$(bridge_pid)" = "$bridge" ]
	[ "$(answer_count P1)" -eq 31 ]
}

@test "the clock set back by a day: names still sort by arrival" {
	one_participant
	send_many P1 3
	take 3
	wait_until 10 has_done P1 3
	bridge_stop
	export SKYNET_CLOCK_OFFSET_S=-86400
	bridge_start
	unset SKYNET_CLOCK_OFFSET_S
	send_many P1 3 '{"later":true}'
	take 3
	wait_until 10 has_done P1 6
	done_files P1 | sed 's|.*/||' | sort >"$T/names"
	[ "$(wc -l <"$T/names")" -eq 6 ]
	n=0
	while read -r name; do
		n=$((n + 1))
		later=$(jq -r '.fields.later' "$(find "$S/done" -name "$name")")
		[ "$later" = "$([ $n -gt 3 ] && echo true || echo null)" ]
	done <"$T/names"
}

@test "what spool-put still writes when the bridge starts is left alone, and answered; what nobody writes any more is not" {
	home_make "$HOMES/h"
	participant P1
	printf '{"fei":{"engine_id":"e","wfid":"half","subid":"s","expid":"0"},"fields":{}}' >"$T/item"
	name() { echo "20261122T105443.86511$1-0000-$(sha256sum <"$T/item" | head -c 16)-half"; }
	head -c 20 "$T/item" | tee "$S/open/$(name 1)" >"$S/open/$(name 2)"
	: >"$S/open/$(name 3)"
	exec {half}>>"$S/open/$(name 1)" {empty}>"$S/open/$(name 4)"
	flock "$half"
	flock "$empty"
	engine_queue
	bridge_start
	[ -e "$S/failed/20261122/1054/$(name 2).log" ]
	[ "$(ls "$S/open")" = "$(name 1; name 4)" ]
	tail -c +21 "$T/item" >&"$half"
	cat "$T/item" >&"$empty"
	flock -u "$half" # the bridge has the descriptors as well
	flock -u "$empty"
	exec {half}>&- {empty}>&-
	exo_start P1
	for n in 1 4; do
		wait_until 60 test -e "$S/done/20261122/1054/$(name $n).json"
		cmp "$T/item" "$S/done/20261122/1054/$(name $n).json"
	done
	wait_until 30 idle P1
}
