#!/usr/bin/env bats
# What docs/SPOOL.md promises, under load: processes killed, connections closed, broker restarted, disk full.
# 6,000 workitems in each of the large runs; SKYNET_FULL=1: 20,000.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2154 # what bats and home.sh set, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

setup_file()
{
	file_broker
	[ -x "$ROOT/build/bench/wiload" ] || make -s -C "$ROOT" BUILD=build bench-programs >&2 3>&- # where make did not
	# The load has a user of its own, so that SkyNET's connections alone can be closed.
	broker_ctl "$BATS_FILE_TMPDIR/broker" -q add_user load load
	broker_ctl "$BATS_FILE_TMPDIR/broker" -q set_permissions -p "$BROKER_VHOST" load '.*' '.*' '.*'
}

setup()
{
	file_home
	N=${SKYNET_FULL:+20000}
	N=${N:-6000}
	MOUNTED='' UP=''
}

teardown()
{
	[ -z "$UP" ] || "$ROOT/bin/skynet" local down --timeout 5 3>&- || :
	home_cleanup
	[ -z "$MOUNTED" ] || umount -l "$MOUNTED"
	# The load's connections end with it; what it left in the queues is of this test's names.
	[ ! -s "$T/wiload" ] || cat "$T/wiload"
}

# One participant, its bridge; the load on its way: $load. The participant itself is not started.
start_load() # COUNT [CODE]
{
	home_make "$HOMES/h"
	participant P1 "${2:-}"
	keep_bridge
	wait_until 20 _bridge_is connected 0
	"$ROOT/build/bench/wiload" -R -q -n "$1" -s 1024 -t 60 -l 2 -H "$BROKER_HOST:$BROKER_PORT" -v "$BROKER_VHOST" \
		-u load -p load -r "$ENGINE" "P1.$TAG" >"$T/wiload" 2>&1 3>&- &
	load=$!
	echo "$load" >>"$HOME_PIDS"
	some_open() { [ "$(open_count P1)" -ge "$1" ]; }
	wait_until 10 some_open 100
}

has_progressed() { [ "$(done_count P1)" -ge "$1" ]; }

end_load()
{
	wait "$load"
	wait_until 20 idle P1
	spool_verify P1 "$1"
	wait_until 10 unacked_is P1 0
	wait_until 20 spool-check P1
}

# Does it now, in the middle: not before the first answer, not after the last, and not in idle air.
hit() # WHAT PID
{
	local now
	now=$(done_count P1)
	[ -n "$2" ] && [ "$now" -gt 0 ] && [ "$now" -lt "$N" ]
	kill -KILL "$2"
	hits=$((hits + 1))
	echo "$now of $N done: $1 $2 killed"
}

@test "plain load: every workitem answered exactly once, and kept byte by byte" {
	start_load "$N"
	keep_exo P1
	end_load "$N"
	not logged 'lost the connection|sent it again'
}

@test "bridge, exo and worker killed five times each, connections closed three times: exactly once" {
	# A millisecond each, and never more than three parts ahead of the faults, however long these take: the load outlasts them.
	part=$((N / 20))
	slow="f = wid.fields
        time.sleep(0.001)
        while not os.path.exists('$T/part.%d' % (int(wid.wfid.rsplit('-', 1)[1]) // $part)):
            time.sleep(0.01)"
	touch "$T"/part.{0..3}
	start_load "$N" "${HOME_HANDLER/f = wid.fields/$slow}"
	keep_exo P1
	hits=0
	for round in 1 2 3 4 5; do
		for what in bridge worker exo; do
			wait_until 30 has_progressed $(((hits + 1) * part))
			case $what in
			bridge) hit bridge "$(bridge_pid)" ;;
			exo) hit exo "$(exo_pid P1)" ;;
			worker)
				wait_until 10 worker_pid P1
				hit worker "$(worker_pid P1)"
				;;
			esac
			touch "$T/part.$((hits + 3))"
		done
		case $round in
		1 | 3 | 5)
			wait_until 30 has_progressed $((hits * part + part / 2))
			broker_ctl "$BROKER" -q close_all_user_connections "$BROKER_USER" 'closed by the test'
			;;
		esac
	done
	[ "$hits" -eq 15 ]
	[ "$(done_count P1)" -lt "$N" ]
	touch "$T"/part.{0..20}
	end_load "$N"
	[ "$(grep -c 'CONNECTION_FORCED' "$H/log/bridge.txt")" -ge 3 ]
	logged 'sent it again' # unacked ones really came twice
	grep 'batch=' "$H/log/bridge.txt" || :
}

@test "the broker restarts with 2,000 persistent workitems outstanding: none is lost, each is answered" {
	home_make "$HOMES/h"
	participant P1
	engine_queue
	keep_bridge
	wait_until 20 _bridge_is connected 0
	send_persistent P1 2000
	keep_exo P1
	wait_until 20 has_progressed 200
	broker_restart "$BROKER"
	[ "$(grep -c 'lost the connection' "$H/log/bridge.txt")" -ge 2 ]
	has_all() { [ "$(done_count P1)" -ge 2000 ] && idle P1; }
	wait_until 60 has_all
	take "$(amqp length "$ENGINE")" 30
	"$BROKER_PYTHON" - "$REPLIES" <<-'PY' | tee "$T/counts"
		import collections, json, pathlib, sys
		seen = collections.Counter(json.loads(f.read_bytes())["fields"]["n"] for f in pathlib.Path(sys.argv[1]).iterdir())
		print("answered", len(seen), "twice", sum(v > 1 for v in seen.values()), "more", sum(v > 2 for v in seen.values()))
	PY
	grep -q '^answered 2000 ' "$T/counts"
	echo "# broker restart: $(cat "$T/counts")" >&3
	# One file each: what came again has joined it.
	spool_verify P1 2000
}

@test "runsv killed under load, the participant's and the bridge's: exactly once" {
	home_make "$HOMES/h"
	mkdir "$T/code"
	printf '%s\n' "$HOME_HANDLER" >"$T/code/P1.py"
	"$ROOT/bin/skynet" install -q "P1.$TAG" "$T/code/P1.py" 3>&-
	UP=yes
	"$ROOT/bin/skynet" local up 3>&-
	wait_until 20 _bridge_is connected 0
	N=3000
	"$ROOT/build/bench/wiload" -R -q -n "$N" -t 60 -l 2 -H "$BROKER_HOST:$BROKER_PORT" -v "$BROKER_VHOST" \
		-u load -p load -r "$ENGINE" "P1.$TAG" >"$T/wiload" 2>&1 3>&- &
	load=$!
	echo "$load" >>"$HOME_PIDS"
	"$ROOT/bin/skynet" start P1 3>&-
	runsv_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"; }
	hits=0
	for what in P1 amqp-spool; do
		wait_until 30 has_progressed $((hits * 700 + 300))
		pid=$(runsv_of "$(status_of $what pid)")
		[ "$(cat "/proc/$pid/comm")" = runsv ]
		hit "runsv of $what" "$pid"
	done
	wait "$load"
	S=$H/spool/P1
	wait_until 20 idle P1
	spool_verify P1 "$N"
	new_runsv() { [ "$(runsv_of "$(bridge_pid)")" != "$pid" ] && _bridge_is connected 0; }
	wait_until 10 new_runsv
}

@test "the disk is full: nothing is lost, the status says so, and it goes on when there is room" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root to mount a small file system'
	home_make "$HOMES/h"
	mount -t tmpfs -o size=12m tmpfs "$H/spool" || skip 'cannot mount'
	MOUNTED=$H/spool
	home_set '[skynet]' 'min_free_mb = 1' 'min_free_inodes = 10'
	participant P1
	participant P2
	engine_queue
	bridge_start
	exo_start P1
	# 60 times 200 kB, and as much again for the replies, into 12 MB.
	send_many P1 60 '{"pad":200000}'
	wait_until 20 bridge_shows 'participant.P1: full'
	grep -q '^reason: no room' "$H/run/amqp-spool/status"
	not has_done P1 60
	before=$(done_count P1)
	kill -0 "$bridge"
	mount -o remount,size=200m "$MOUNTED"
	wait_until 60 has_done P1 60
	[ "$before" -lt 60 ]
	take 60
	once 60
	no_more
	wait_until 5 idle P1
	wait_until 5 bridge_shows 'participant.P1: consuming'
	spool_verify P1 60
	wait_until 10 spool-check
}
