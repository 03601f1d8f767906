#!/usr/bin/env bats
# Participants that are no Python, with a real broker, the real bridge and exo: every message answered, once.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154 # what bats and home.sh set, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

setup()
{
	file_home
	home_make "$HOMES/h"
	participant P1
}

@test "a program: every message is answered once, also when its worker and its exo are killed meanwhile" {
	printf '%s\n' '#!/bin/sh' 'sleep 0.01' 'exec sed "s/\"fields\":{/&\"by\":\"sh\",/"' >"$H/sv/skynet-P1/code"
	chmod 755 "$H/sv/skynet-P1/code"
	participant_set P1 'code = code' 'instances = 2' 'max_attempts = 20'
	engine_queue
	bridge_start
	keep_exo P1
	wait_until 20 state_is P1 ready
	send_many P1 300
	worker() { pgrep -P "$(exo_pid P1)" -f exo-exec | head -n 1; }
	for _ in 1 2 3; do
		before=$(done_count P1)
		more() { [ "$(done_count P1)" -gt "$before" ]; }
		wait_until 30 more
		pid=$(worker)
		[ -z "$pid" ] || kill -KILL "$pid"
	done
	kill -KILL "$(exo_pid P1)"
	take 300 90
	once 300
	no_more
	wait_until 30 idle P1
	spool_verify P1 300
	[ "$(jq -r .fields.by "$REPLIES"/r.* | sort | uniq -c | tr -s ' ')" = ' 300 sh' ]
}

@test "a shared library: every message is answered once" {
	ln -s "$ROOT/${SKYNET_BUILD:-build-test}/examples/tally.so" "$H/sv/skynet-P1/code.so"
	participant_set P1 'code = code.so'
	engine_queue
	bridge_start
	exo_start P1
	send_many P1 2000
	take 2000 90
	once 2000
	wait_until 30 idle P1
	spool_verify P1 2000
	[ "$(jq .fields.tally "$REPLIES"/r.* | sort -n | tail -n 1)" = 2000 ]
}

@test "what is wrong in a program's reply is an error reply at the engine" {
	printf '%s\n' '#!/bin/sh' 'echo "why it failed" >&2' 'exit 4' >"$H/sv/skynet-P1/code"
	chmod 755 "$H/sv/skynet-P1/code"
	participant_set P1 'code = code'
	engine_queue
	bridge_start
	exo_start P1
	send P1 '{"n":1}'
	take 1
	[ "$(jq -c '.error' "$REPLIES"/r.*)" = '{"class":"RuntimeError","message":"code exited with code 4: why it failed","trace":["why it failed"]}' ]
	[ "$(jq .fields.n "$REPLIES"/r.*)" = 1 ]
}
