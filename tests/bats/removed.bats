#!/usr/bin/env bats
# Participants that are removed by HUP while the broker has, or is given, what they sent, and that come back: each reply and each
# message goes out once (docs/BRIDGE.md).
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

HANDLER='import os, time
class ParticipantHandler:
    def handle_wi(self, wid):
        while not os.path.exists(wid.fields.wait):
            time.sleep(0.01)
        for i in range(wid.fields.messages):
            wid.fields.step = i
            self.send_to_engine(wid)
        wid.fields.step = "last"
'

# The bridge has nothing to do: it was not awake in that half second.
awake() { awk '/^voluntary/ { print $2 }' "/proc/$bridge/status"; }
settled() { [ "$(awake)" = "$(sleep 0.5 && awake)" ]; }

# P1 has answered ten workitems, with so many messages before each answer; what goes out first is with a broker that stands still.
under_way() # MESSAGES
{
	home_make "$HOMES/h"
	participant P1 "$HANDLER"
	participant P2
	engine_queue
	bridge_start
	exo_start P1
	exo_start P2
	touch "$T/at-once"
	send P1 "{\"messages\":0,\"wait\":\"$T/at-once\"}" # the queue is known to exist
	take 1
	wait_until 20 has_done P1 1
	send_many P1 10 "{\"messages\":$1,\"wait\":\"$T/go\"}"
	wait_until 20 has_open P1 10
	read -r STOPPED _ <"$BROKER/pid"
	kill -STOP "$STOPPED"
	touch "$T/go"
	answered() { [ "$(answers_waiting P1)" -eq 10 ]; }
	wait_until 20 answered
	exo_stop P1
	wait_until 20 grep -q P1 "$H/run/amqp-spool/outbox"
	wait_until 20 settled # all that is answered is with the publisher
}

broker_goes_on()
{
	kill -CONT "$STOPPED"
	STOPPED=
}

removed()
{
	mv "$H/sv/skynet-P1" "$T/away"
	kill -HUP "$bridge"
	wait_until 20 logged 'participant=P1: gone'
}

came() { [ "$(grep -c 'participant=P1 queue=' "$H/log/bridge.txt")" -gt "$1" ]; }
comes_back()
{
	local before
	before=$(grep -c 'participant=P1 queue=' "$H/log/bridge.txt")
	mv "$T/away" "$H/sv/skynet-P1"
	kill -HUP "$bridge"
	wait_until 20 came "$before"
}

remembers() { [ -e "$H/run/amqp-spool/taken" ] && [ "$(wc -l <"$H/run/amqp-spool/taken")" -eq "$1" ]; }

# The outbox; what follows behind its bytes is older, and does not count.
outbox()
{
	tail -n +2 "$H/run/amqp-spool/outbox" | head -c "$(sed -n '1s/^bytes //p' "$H/run/amqp-spool/outbox")"
}

# The outbox names the last two batches: none of P1's any more.
others_go_out()
{
	for _ in 1 2 3; do
		send P2
		wait_until 20 engine_holds $((held + 1))
		wait_until 20 idle P2
		held=$((held + 1))
	done
	outbox >"$T/outbox"
	grep -q P2 "$T/outbox"
	not grep -q P1 "$T/outbox"
}

bridge_killed()
{
	kill -KILL "$bridge"
	wait_until 20 gone "$bridge"
}

# Of each of the ten: its messages and its answer, in order.
each_once() # MESSAGES [OTHERS]
{
	wait_until 20 has_done P1 11
	take $((10 * ($1 + 1) + ${2:-0}))
	"$BROKER_PYTHON" - "$REPLIES" "$1" <<-'PY'
		import collections, json, pathlib, sys
		files = sorted(pathlib.Path(sys.argv[1]).iterdir(), key=lambda f: int(f.suffix[1:]))
		sent = collections.defaultdict(list)
		for fields in (json.loads(f.read_bytes())["fields"] for f in files):
		    if "step" in fields:
		        sent[fields["n"]].append(fields["step"])
		assert sent == {n: [*range(int(sys.argv[2])), "last"] for n in range(1, 11)}, sent
	PY
	"$BROKER_PYTHON" -c 'import time; time.sleep(1.5)' # what waits a second for what is on its way would go out now
	no_more
	idle P1
	[ "$(answer_count P1)" -eq 11 ]
	[ "$(done_files P1 '*.m000?' | wc -l)" -eq $((10 * $1)) ]
	forgot() { [ ! -e "$H/run/amqp-spool/taken" ]; }
	wait_until 10 forgot
	not logged 'goes out again'
}

@test "back before the broker goes on: replies" {
	under_way 0
	removed
	comes_back
	broker_goes_on
	each_once 0
	[ "$(bridge_pid)" = "$bridge" ]
}

@test "back before the broker goes on: messages sent on the way" {
	under_way 3
	removed
	comes_back
	broker_goes_on
	each_once 3
	[ "$(bridge_pid)" = "$bridge" ]
}

@test "back after the broker confirmed them: replies" {
	under_way 0
	removed
	broker_goes_on
	wait_until 20 remembers 10
	comes_back
	each_once 0
}

@test "back after the broker confirmed them: messages sent on the way" {
	under_way 3
	removed
	broker_goes_on
	wait_until 20 remembers 30
	comes_back
	each_once 3
}

@test "confirmed, then a bridge is killed that the outbox does not tell of them any more" {
	under_way 0
	removed
	broker_goes_on
	wait_until 20 remembers 10
	held=10
	others_go_out
	bridge_killed
	bridge_start
	others_go_out
	comes_back
	each_once 0 6
}

@test "the bridge is killed before it hears of the confirm, and the next one does not know the participant" {
	under_way 0
	removed
	bridge_killed
	broker_goes_on
	bridge_start
	wait_until 20 [ -s "$H/run/amqp-spool/taken" ]
	held=$(amqp length "$ENGINE") # of the ten, those of the first batch
	cp "$H/run/amqp-spool/taken" "$T/taken"
	bridge_stop # the outbox tells as well
	bridge_start
	cmp "$H/run/amqp-spool/taken" "$T/taken"
	others_go_out
	comes_back
	each_once 0 3
}

@test "removed while a confirmed one could not be retired" {
	under_way 0
	for name in "$H/spool/P1/open"/*; do # a file cannot be renamed over these
		name=${name##*/}
		mkdir -p "$H/spool/P1/done/${name:0:8}/${name:9:4}/$name.json"
	done
	broker_goes_on
	wait_until 20 engine_holds 10
	all_wait() { [ "$(grep -c 'participant=P1 .*cannot retire' "$H/log/bridge.txt")" -ge 10 ]; }
	wait_until 20 all_wait
	removed
	find "$H/spool/P1/done" -type d -name '*.json' -exec rmdir {} +
	comes_back
	each_once 0
}

no_room() { touch "$S/done/$(date -u +%Y%m%d)" "$S/done/$(date -u -d tomorrow +%Y%m%d)"; } # no directories
forgot() { [ ! -e "$H/run/amqp-spool/taken" ]; }

@test "what could not be kept or retired is remembered until it is" {
	home_make "$HOMES/h"
	participant P1 "$HANDLER"
	engine_queue
	bridge_start
	exo_start P1
	touch "$T/go"
	no_room
	send P1 "{\"messages\":1,\"wait\":\"$T/go\"}"
	wait_until 20 remembers 2
	find "$S/done" -type f -delete
	wait_until 20 has_done P1 1
	wait_until 10 forgot
	take 2
	no_more
}

@test "what could not be kept or retired is not sent again by the next bridge" {
	for signal in KILL TERM; do
		home_make "$HOMES/$signal"
		participant P1 "$HANDLER"
		engine_queue
		bridge_start
		exo_start P1
		touch "$T/go"
		no_room
		for i in 1 2 3 4 5 6; do # each a batch of its own: the outbox forgets the first ones
			send P1 "{\"messages\":1,\"wait\":\"$T/go\"}" "20261122-$i"
			wait_until 20 engine_holds $((2 * i))
		done
		all_wait() { [ "$(grep -c 'participant=P1 .*cannot retire' "$H/log/bridge.txt")" -ge 6 ]; }
		wait_until 20 all_wait
		remembers 12
		kill -$signal "$bridge"
		wait_until 20 gone "$bridge"
		bridge_start # and there is still no room
		send P1 "{\"messages\":0,\"wait\":\"$T/go\"}" 20261122-7
		wait_until 20 engine_holds 13
		wait_until 20 remembers 13
		kill -$signal "$bridge"
		wait_until 20 gone "$bridge"
		find "$S/done" -type f -delete
		bridge_start
		wait_until 20 has_done P1 7
		idle P1
		wait_until 10 forgot
		"$BROKER_PYTHON" -c 'import time; time.sleep(1.5)'
		take 13
		no_more
		home_stop
	done
}
