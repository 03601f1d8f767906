#!/usr/bin/env bats
# How the bridge hears of results: by inotify, or, where they come densely, by looking each millisecond (docs/BRIDGE.md).
# There is no exo: the tests answer, as fast as a worker.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

# A home with one participant P1 that takes all there is, and the bridge, under STRACE…
ample() # [STRACE…]
{
	home_make "$HOMES/h"
	participant P1
	participant_set P1 'prefetch = 10000' 'hold = 10000'
	engine_queue
	bridge_spawn "$@"
	wait_until 20 _bridge_is connected 0
}

# COUNT are open, and written.
open_all() # COUNT
{
	send_many P1 "$1"
	written() { [ "$(find "$S/open" -type f -size +0 | wc -l)" -eq "$1" ]; }
	wait_until 60 written "$1"
}

pour() { "$BROKER_LIB/pour.py" "$(bridge_pid)" "$H/spool/P1" "$@"; }
bridge_is() { [ "$(pour mode)" = "$1" ]; }

answered_once() # COUNT
{
	take "$1" 60
	once "$1"
	wait_until 20 has_done P1 "$1"
	no_more
	idle P1
}

# One after the other: each is heard of before the bridge would look by itself.
hears_each() # COUNT
{
	open_all "$1"
	pour singly
	take "$1"
}

# The bridge has not been awake more than twice in that second: it does not poll.
sleeps()
{
	local before
	before=$(awk '/^voluntary/ { print $2 }' "/proc/$bridge/status")
	sleep 1 # measures rest
	[ "$(awk '/^voluntary/ { print $2 }' "/proc/$bridge/status")" -le $((before + 2)) ]
}

@test "during a flood the journals are polled; after it the bridge sleeps, and hears of each result" {
	ample
	bridge_is listening
	open_all 4000
	pour flood
	answered_once 4000
	wait_until 20 bridge_is listening
	wait_until 20 sleeps
	# Nor is it polled for one that waits for the other, however fast they follow.
	hears_each 200
	bridge_is listening
}

@test "a new worker's journal is heard of during a flood" {
	ample
	open_all 4000
	pour other
	answered_once 4000
	wait_until 20 bridge_is listening
}

@test "many short floods: what was written last is seen each time" {
	ample
	open_all 5000
	pour spurts 160
	rest=$(find "$S/open" -type f | wc -l)
	pour flood || :
	answered_once 5000
	[ "$rest" -lt 2500 ]
}

@test "what is written while the bridge begins to listen again is seen" {
	command -v strace >/dev/null || skip 'no strace'
	ample strace -qq -o "$T/trace" -e trace=inotify_add_watch -e inject=inotify_add_watch:delay_enter=15000
	open_all 2500
	pour spurts 60
	pour flood || :
	answered_once 2500
	grep -q IN_MODIFY "$T/trace"
	home_stop
}

@test "a participant that is removed during a flood, and comes back, and one that stays" {
	ample
	open_all 4000
	participant P2
	kill -HUP "$bridge"
	wait_until 20 bridge_shows 'participant.P2: consuming.*'
	pour flood >"$T/flood" &
	flood=$!
	echo "$flood" >>"$HOME_PIDS"
	wait_until 20 grep -q polling "$T/flood"
	mv "$H/sv/skynet-P1" "$T/away"
	kill -HUP "$bridge"
	wait_until 20 logged 'participant=P1: gone'
	bridge_is deaf
	wait "$flood" || :
	wait_until 20 sleeps
	[ "$(bridge_pid)" = "$bridge" ]
	mv "$T/away" "$H/sv/skynet-P1"
	kill -HUP "$bridge"
	wait_until 60 has_done P1 4000
	idle P1
	# Nothing is lost, and what was on its way when the participant went does not go out a second time.
	answered_once 4000
	wait_until 20 bridge_is listening
}

@test "a watch that cannot be changed: nothing is lost, and it is put right when that is possible" {
	command -v strace >/dev/null || skip 'no strace'
	# The first is made at the start. Then it cannot stop listening; then it cannot listen again.
	for when in 2..4 3..12; do
		ample strace -qq -o "$T/trace" -e trace=inotify_add_watch -e inject=inotify_add_watch:error=ENOMEM:when=$when
		open_all 4000
		pour flood
		answered_once 4000
		grep -q INJECTED "$T/trace"
		if [ "$when" = 3..12 ]; then
			wait_until 20 logged 'P1: no inotify watch .*: results are looked for'
			wait_until 20 bridge_is listening
			hears_each 2
		fi
		wait_until 20 bridge_is listening
		home_stop
		rm -rf "$H"
	done
}
