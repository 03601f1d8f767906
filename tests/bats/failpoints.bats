#!/usr/bin/env bats
# Each step of docs/SPOOL.md, section 3: the process killed just before it, and the step failing with EIO, once, while 20
# workitems pass. Many of these homes run at the same time, against one broker: setup_file runs them, the tests look.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and bats' subshells
bats_require_minimum_version 1.5.0

COUNT=20
AT_ONCE=16 # homes; two inotify instances each, and a user has 128
# claim.again has no number.
STEPS='deliver.1 deliver.2 deliver.3 ack.1 ack.2 ack.3 claim.1 claim.2 claim.3 claim.4 claim.5 claim.again result.1 result.2
	publish.1 publish.2 publish.3 retire.1 retire.2 retire.4 retire.5'

common()
{
	. "$BATS_TEST_DIRNAME/../lib/home.sh"
	home_setup
	HOMES=$BATS_FILE_TMPDIR/homes
	HOME_PIDS=$HOMES/pids
	BROKER=$BATS_FILE_TMPDIR/broker
}

point() # STEP:ACTION: the home of it
{
	TAG=$1
	ENGINE=engine.$TAG
	home_use "$HOMES/$1"
	S=$H/spool/P1
	W=$S/work
}

start_point()
{
	point "$1"
	cp -a "$HOMES/template" "$H"
	sed -i "s/engine\.file/$ENGINE/" "$H/etc/conf.d/test.conf"
	sed -i "s/P1\.file/P1.$TAG/" "$H/sv/skynet-P1/config.exo"
	case $1 in
	claim.4:*) echo 'grace = 0' >>"$H/sv/skynet-P1/config.exo" ;; # what runs at the stop is cut short
	esac
	export SKYNET_FAIL=$1 SKYNET_FAIL_ONCE=$H/hit
	keep_bridge
	keep_exo P1
	unset SKYNET_FAIL SKYNET_FAIL_ONCE
}

# One process for all: COUNT workitems into each queue, and the engine's queues.
send_all()
{
	"$BROKER_PYTHON" - "$COUNT" "$HOMES" "$@" <<-'PY'
		import json, os, sys
		import pika
		e = os.environ
		count, homes, *tags = sys.argv[1:]
		c = pika.BlockingConnection(pika.ConnectionParameters(
		    e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
		    pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
		ch = c.channel()
		for tag in tags:
		    ch.queue_declare("engine." + tag, durable=True)
		    ch.queue_declare("P1." + tag, durable=True)
		    for n in range(1, int(count) + 1):
		        fields = {"params": {}, "n": n, "seconds": 0.1}
		        if n > 2 and tag.startswith(("deliver.3", "claim.3", "claim.4", "claim.5", "claim.again")):  # until the push
		            fields = {"params": {}, "n": n, "began": f"{homes}/{tag}/began", "wait": f"{homes}/{tag}/pushed"}
		        w = {"fields": fields, "participant_name": "P1", "re_dispatch_count": 0,
		             "fei": {"engine_id": "engine", "wfid": f"20261122-{n:04d}", "subid": "0" * 32, "expid": "0_0"}}
		        ch.basic_publish("", "P1." + tag, json.dumps(w, separators=(",", ":")).encode(),
		                         pika.BasicProperties(content_type="application/octet-stream", delivery_mode=1))
		c.close()
	PY
}

all_done() { [ "$(done_count P1)" -eq "$COUNT" ] && idle P1; }
hit() { [ -e "$H/hit" ]; }

# room POINT…: for one more home. Ends those that are done.
room()
{
	local p n=0
	for p in "$@"; do
		point "$p"
		if [ ! -d "$H" ] || [ -e "$H/ended" ]; then
			continue
		elif all_done && hit && spool-check P1; then
			touch "$H/ended" "$H/stop.P1" "$H/stop.bridge"
			kill -TERM "$(exo_pid P1)" "$(bridge_pid)"
		else
			n=$((n + 1))
		fi
	done
	[ "$n" -lt "$AT_ONCE" ]
}

# An answer that will be rejected, for the workitem that runs.
spoiled()
{
	"$BROKER_PYTHON" - "$S" "$BROKER_LIB" <<-'PY'
		import json, pathlib, sys
		sys.path.insert(0, sys.argv[2])
		import answer
		top = pathlib.Path(sys.argv[1])
		name = next(p.name for p in sorted(top.glob("open/*")) if json.loads(p.read_bytes())["fields"]["n"] == 3)
		text = answer.record("ok", name, b'{"right":1}').replace(b"right", b"wrong")
		(top / "work/result/20261122T105443.865116-1.results").write_bytes(text)
	PY
}

# What needs a push: a result is rejected; giving back unbegun work happens at a stop, resuming after a death; notes are made
# of what runs for a while.
push_point()
{
	local pid
	noted() { [ -n "$(ls "$W/cur")" ]; }
	point "$1"
	wait_until 60 [ -e "$H/began" ] # the third runs, others are ahead
	pid=$(exo_pid P1)
	case $1 in
	deliver.3:*) spoiled && wait_until 20 hit ;;
	claim.3:*) wait_until 20 hit ;;
	claim.5:*) wait_until 20 noted ;;
	claim.4:*) kill -TERM "$pid" && wait_until 20 gone "$pid" ;; # without grace
	claim.again:*) kill -KILL "$(worker_pid P1)" ;;
	esac
	touch "$H/pushed"
}

setup_file()
{
	local pushed='' others='' p
	common
	broker_start "$BROKER"
	home_make "$HOMES/template"
	home_set '[skynet]' 'sync_after = 0.05'
	participant P1
	for p in claim.again deliver.3 claim.3 claim.4 claim.5; do
		pushed="$pushed $p:kill $p:eio"
	done
	# These begin: a journal is unlinked when it is 30 s old.
	for p in retire.4 $STEPS; do
		case "$pushed $others" in
		*"$p:"*) ;;
		*) others="$others $p:kill $p:eio" ;;
		esac
	done
	send_all $pushed $others
	for p in $pushed; do
		start_point $p
	done
	for p in $pushed; do
		push_point $p
	done
	for p in $others; do
		wait_until 90 room $pushed $others || : # its test will tell
		start_point $p
	done
}

teardown_file()
{
	common
	BATS_TEST_COMPLETED=1 # each test shows its own logs
	home_cleanup
	broker_kill "$BROKER"
}

setup()
{
	common
	broker_env "$BROKER"
}

teardown()
{
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -n "${H:-}" ]; then
		for log in "$H"/log/*.txt; do
			echo "--- $log" && tail -n 30 "$log"
		done
		find "$S" -path '*/done/*' -prune -o -type f -print
	fi
}

# What a home's replies and files say: one process instead of five for each of 42 homes.
verify_point()
{
	"$BROKER_PYTHON" - "$TAG" "$S/done" "$COUNT" "$BROKER_LIB" <<-'PY'
		import collections, hashlib, json, os, pathlib, sys
		import pika
		sys.path.insert(0, sys.argv[4])
		import answer
		e = os.environ
		tag, done, count = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
		c = pika.BlockingConnection(pika.ConnectionParameters(
		    e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
		    pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
		ch = c.channel()
		replies = []
		while (m := ch.basic_get("engine." + tag, auto_ack=True))[0]:
		    replies.append(json.loads(m[2]))
		seen = collections.Counter(r["fields"]["n"] for r in replies)
		wrong = {n: seen[n] for n in range(1, count + 1) if seen[n] != 1}
		errors = [r["error"] for r in replies if "error" in r]
		files = list(done.glob("*/*/*.json"))
		bad = [f.name for f in files if hashlib.sha256(f.read_bytes()).hexdigest()[:16] != f.name[28:44]]
		kept = collections.Counter(answer.names(done))
		alone = [f.name for f in files if not kept[f.stem]]
		twice = [name for name in kept if kept[name] > 2 or (kept[name] > 1 and not tag.startswith("retire"))]
		print(f"{len(replies)} replies, not exactly once: {wrong}, errors: {errors}; "
		      f"{len(files)} in done/, damaged: {bad}, without result: {alone}, with too many: {twice}")
		sys.exit(bool(wrong or errors or bad or alone or twice) or len(replies) != count or len(files) != count)
	PY
}

check()
{
	for action in kill eio; do
		point "$1:$action"
		wait_until 75 all_done
		wait_until 75 hit # retire.4 comes when all else is done
		# A retirement that failed is finished 5 s later. What ended was looked at before.
		[ -e "$H/ended" ] || wait_until 40 spool-check P1
		verify_point
		has_failed P1 0
	done
}

@test "the steps of docs/SPOOL.md, the failpoints in the source, and these tests are the same" {
	# Rows of the tables in sections 3 and 10; the latter's steps are tried by cancel.bats.
	sed -n -e '/^## 3/,/^## 4/s/^| \([a-z]*\.[0-9]\) .*/\1/p' -e '/^## 10/,$s/^| \([a-z]*\.[0-9]\) .*/\1/p' \
		"$ROOT/docs/SPOOL.md" | sort -u >"$BATS_TEST_TMPDIR/docs"
	cancel_steps=$(sed -n "s/^CANCEL_STEPS='\(.*\)'/\1/p" "$BATS_TEST_DIRNAME/cancel.bats")
	grep -rhoE 'SN_FAIL\("[^"]*"\)' "$ROOT/lib" "$ROOT/libexec" --include='*.c' |
		sed 's/.*"\(.*\)".*/\1/' | grep -vx claim.again | sort -u >"$BATS_TEST_TMPDIR/source"
	printf '%s\n' $STEPS $cancel_steps | grep -vx claim.again | sort >"$BATS_TEST_TMPDIR/here"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/docs")" -gt 15 ]
	diff "$BATS_TEST_TMPDIR/docs" "$BATS_TEST_TMPDIR/source"
	diff "$BATS_TEST_TMPDIR/docs" "$BATS_TEST_TMPDIR/here"
	for step in $cancel_steps; do
		[ "$(grep -c "$step" "$BATS_TEST_DIRNAME/cancel.bats")" -gt 1 ]
	done
	for step in $STEPS; do
		grep -qx "@test \"$step\" { check $step; }" "$BATS_TEST_FILENAME"
	done
}

@test "deliver.1" { check deliver.1; }
@test "deliver.2" { check deliver.2; }
@test "deliver.3" { check deliver.3; }
@test "ack.1" { check ack.1; }
@test "ack.2" { check ack.2; }
@test "ack.3" { check ack.3; }
@test "claim.1" { check claim.1; }
@test "claim.2" { check claim.2; }
@test "claim.3" { check claim.3; }
@test "claim.4" { check claim.4; }
@test "claim.5" { check claim.5; }
@test "claim.again" { check claim.again; }
@test "result.1" { check result.1; }
@test "result.2" { check result.2; }
@test "publish.1" { check publish.1; }
@test "publish.2" { check publish.2; }
@test "publish.3" { check publish.3; }
@test "retire.1" { check retire.1; }
@test "retire.2" { check retire.2; }
@test "retire.4" { check retire.4; }
@test "retire.5" { check retire.5; }

@test "afterwards nothing is left at the broker, unacked or waiting" {
	broker_ctl "$BROKER" -q list_queues --no-table-headers -p "$BROKER_VHOST" name messages >"$BATS_TEST_TMPDIR/queues"
	[ "$(grep -c '^P1\.' "$BATS_TEST_TMPDIR/queues")" -eq $(($(echo $STEPS | wc -w) * 2)) ]
	not grep -E '^(P1|engine)\..*[[:space:]][1-9]' "$BATS_TEST_TMPDIR/queues"
}
