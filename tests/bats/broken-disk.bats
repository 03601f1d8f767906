#!/usr/bin/env bats
# Spools that cannot be used, or are taken away, while the bridge is up; nobody starts anything again by hand.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2154,SC2317 # what bats and home.sh set, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

teardown()
{
	home_cleanup
	[ -z "${MOUNTED:-}" ] || umount -l "$MOUNTED"
}

@test "a spool that cannot be used when the bridge starts: the status says so, and it is used when it can be" {
	home_make "$HOMES/h"
	participant P2
	participant P1
	engine_queue
	mv "$H/spool/P1" "$T/away"
	touch "$H/spool/P1"
	export SKYNET_RECONCILE_S=0.2
	bridge_start
	bridge_shows 'participant.P2: consuming'
	bridge_shows 'participant.P1: error its spool or user cannot be used: Not a directory'
	reconciled() { mkdir "$H/spool/P2/work/result/once" && wait_until 20 [ ! -e "$H/spool/P2/work/result/once" ]; }
	reconciled
	[ "$(grep -c 'participant=P1: cannot use its spool' "$H/log/bridge.txt")" -eq 1 ]
	"$ROOT/bin/skynet" status | grep -q 'P1: error its spool or user cannot be used: Not a directory'
	rm "$H/spool/P1"
	mv "$T/away" "$H/spool/P1"
	wait_until 20 bridge_shows 'participant.P1: consuming'
	exo_start P1
	send P1
	take 1
	not grep -q '^participant.P1: error' "$H/run/amqp-spool/status"
}

@test "a spool is removed while there is work: what was not acked comes again, the others notice nothing" {
	home_make "$HOMES/h"
	home_set '[skynet]' 'sync_after = 1000'
	participant P2
	participant P1
	engine_queue
	export SKYNET_RECONCILE_S=0.5 SKYNET_RESCAN_S=0.5
	bridge_start
	keep_exo P1
	exo_start P2
	send_many P1 20 "{\"wait\":\"$T/go\"}"
	wait_until 20 has_open P1 20
	# exo may be writing there.
	removed() { rm -rf "$H/spool/P1"; }
	wait_until 20 removed
	send P2
	take 1
	wait_until 20 logged 'participant=P1: the directories of its spool were removed or replaced'
	touch "$T/go"
	wait_until 30 has_done P1 20
	take 20
	once 20
	no_more
	wait_until 20 unacked_is P1 0
	bridge_shows 'participant.P1: consuming'
	[ "$(bridge_pid)" = "$bridge" ]
	[ "$(grep -c 'participant=P1: cannot use its spool' "$H/log/bridge.txt")" -eq 1 ]
}

@test "the spools are replaced, by a file system that is mounted late, say: the bridge starts again, on what is there now" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	export SKYNET_RECONCILE_S=0.5 SKYNET_RESCAN_S=0.5
	keep_bridge
	keep_exo P1
	wait_until 20 _bridge_is connected 0
	before=$(bridge_pid)
	mv "$H/spool" "$T/under"
	send P1 # nothing is there: what is open serves
	take 1
	[ "$(find "$T/under/P1/done" -name '*.json' | wc -l)" -eq 1 ]
	mkdir "$H/spool"
	wait_until 20 _bridge_is connected "$before"
	send P1
	take 1
	wait_until 20 has_done P1 1
	logged 'another directory than it was: starting again'
}

# A pipe that is full, as that to an svlogd whose disk is full.
@test "the log takes nothing: replies go out all the same, lines are dropped and counted, TERM ends the bridge" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	exo_start P1
	mkfifo "$T/log"
	exec 7<>"$T/log"
	"$LIBEXEC/amqp-spool" --home "$H" >&7 2>&1 </dev/null 3>&- &
	bridge=$!
	echo "$bridge" >>"$HOME_PIDS"
	wait_until 20 _bridge_is connected 0
	printf 'no workitem' >"$T/junk"
	mapfile -t junk < <(yes "$T/junk" | head -n 1500)
	send_files P1 "${junk[@]}" # a line of a hundred bytes for each; the pipe holds 64 KiB
	wait_until 30 has_failed P1 1500
	send P1
	take 1
	timeout 2 cat <&7 >"$T/lines" || :
	[ "$(wc -c <"$T/lines")" -gt 60000 ]
	kill -HUP "$bridge"
	heard() { timeout 1 cat <&7 >"$T/lines" || grep -qE '^warning: [0-9]+ lines dropped: the log took nothing' "$T/lines"; }
	wait_until 20 heard
	send_files P1 "${junk[@]}"
	wait_until 30 has_failed P1 3000
	kill -TERM "$bridge"
	wait_until 20 gone "$bridge"
}

@test "run/ is full: each reply goes out once, over a kill -9, too, and the status files are there when there is room" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to mount a small file system'
	home_make "$HOMES/h"
	mount -t tmpfs -o size=1m tmpfs "$H/run" || skip 'cannot mount'
	MOUNTED=$H/run
	participant P1
	engine_queue
	export SKYNET_RECONCILE_S=0.5 SKYNET_RESCAN_S=0.5
	bridge_start
	exo_start P1
	fill() { dd if=/dev/zero of="$H/run/filler" bs=4k 2>"$T/dd" || grep -q 'No space' "$T/dd"; }
	fill
	send_many P1 200
	wait_until 30 has_done P1 200
	not logged 'cannot write run/amqp-spool/outbox'
	kill -KILL "$bridge"
	wait_until 20 gone "$bridge"
	exo=$(exo_pid P1)
	kill -KILL "$exo"
	bridge_spawn
	exo_spawn P1
	wait_until 20 logged 'batch=.*the broker has them'
	# Their state files are those of the former ones.
	wait_until 20 exo_logged P1 'cannot write the status file'
	[ "$(exo_pid P1)" = "$exo" ]
	send_many P1 100
	wait_until 30 has_done P1 300
	rm "$H/run/filler"
	wait_until 20 _bridge_is connected 0
	[ "$(bridge_pid)" = "$bridge" ]
	wait_until 20 _exo_is_new P1 "$exo"
	take 300
	no_more
}

@test "the spool is removed of one that work keeps coming for: the others get theirs, and it is not taken for a full disk" {
	home_make "$HOMES/h"
	participant P2
	participant P1
	engine_queue
	export SKYNET_RECONCILE_S=1000 SKYNET_RESCAN_S=0.5
	bridge_start
	keep_exo P1
	exo_start P2
	removed() { rm -rf "$H/spool/P1"; }
	wait_until 20 removed
	send_many P1 50
	send P2
	take 51
	has_done P1 50
	not logged 'nothing is taken from the broker'
	[ "$(grep -c 'cannot store' "$H/log/bridge.txt")" -eq 1 ]
	no_more
}

@test "a spool that is read-only: the status says that, and not that there is no room; then it goes on" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to mount a small file system'
	home_make "$HOMES/h"
	mount -t tmpfs -o size=100m tmpfs "$H/spool" || skip 'cannot mount'
	MOUNTED=$H/spool
	participant P1
	engine_queue
	bridge_start
	mount -o remount,ro "$MOUNTED"
	send_many P1 20
	wait_until 20 bridge_shows 'reason: Read-only file system: nothing is taken from the broker'
	bridge_shows 'participant.P1: full'
	not logged 'no room'
	mount -o remount,rw "$MOUNTED"
	exo_start P1
	take 20
	once 20
	no_more
	wait_until 20 logged 'can be written again'
	not grep -q '^reason' "$H/run/amqp-spool/status"
}

@test "what cannot be retired is said once for each workitem, and in the status as long as it is so" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	bridge_start
	exo_start P1
	send_many P1 2 "{\"wait\":\"$T/go\"}"
	wait_until 20 has_open P1 2
	block() { echo "$S/done/${1:0:8}/${1:9:4}/$1.json"; } # a file cannot be renamed over this directory
	read -r -d '' first second < <(ls "$S/open") || :
	mkdir -p "$(block "$first")" "$(block "$second")"
	touch "$T/go"
	wait_until 20 logged "$first: cannot retire"
	wait_until 20 logged "$second: cannot retire"
	wait_until 20 bridge_shows 'reason: what is answered cannot be retired: Is a directory'
	rmdir "$(block "$second")"
	wait_until 20 has_open P1 1 # by then the first one was tried again as well
	[ "$(grep -c 'cannot retire' "$H/log/bridge.txt")" -eq 2 ]
	bridge_shows 'reason: what is answered cannot be retired: Is a directory'
	rmdir "$(block "$first")"
	wait_until 20 idle P1
	wait_until 20 not grep -q '^reason' "$H/run/amqp-spool/status"
	take 2
	no_more
}
