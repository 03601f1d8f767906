#!/usr/bin/env bats
# Cancel items (docs/SPOOL.md, section 10), against a real broker, with the real exo: what is meant is never answered, what is
# not meant is; also when the bridge is killed before each step.
# shellcheck disable=SC1091,SC2030,SC2031,SC2034,SC2086,SC2154 # what bats and home.sh set, words, and bats' subshells
bats_require_minimum_version 1.5.0

# Failpoints of section 10; failpoints.bats compares them with the source.
CANCEL_STEPS='cancel.1 cancel.2 cancel.3 cancel.4 cancel.5 cancel.6 cancel.7'

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

# One workitem at a time; `wait` holds it, cancel() lets it go and leaves a line in $T/told.
HANDLER='import os, time
class ParticipantHandler:
    cancelled = False
    def handle_lifecycle_control(self, ctrl):
        pass
    def handle_wi_control(self, ctrl):
        if ctrl.message == "cancel":
            self.cancelled = True
            with open(os.environ["TOLD"], "a") as f:
                print(ctrl.wfid, file=f)
    def handle_wi(self, wid):
        f = wid.fields
        with open(os.environ["TOLD"] + ".began", "a") as out:
            print(wid.wfid, file=out)
        if f.emit:
            self.send_to_engine(wid)
        while f.wait and not os.path.exists(f.wait) and not self.cancelled:
            time.sleep(0.01)
        if f.late:
            self.send_to_engine(wid)
        wid.result = True
        if f.fail:
            raise RuntimeError("failed")
'

cancel_home() # [brokerless]
{
	home_make "$HOMES/h" ${1:+none}
	home_set '[skynet]' 'sync_after = 0.05'
	participant P1 "$HANDLER"
	echo "TOLD=$T/told" >"$H/etc/skynet.env"
	[ -n "${1:-}" ] || engine_queue
}

object_item() # WFID [EXPID]
{
	printf '{"cancel":true,"fei":{"engine_id":"engine","wfid":"%s","subid":"%s","expid":"%s"},"flavour":null}' \
		"$1" 00000000000000000000000000000000 "${2:-0_0}"
}
cancel_object()
{
	object_item "$@" >"$T/object"
	send_files P1 "$T/object"
}
cancel_string()
{
	printf '{"cancel":true,"fei":"#<Ruote::HashWrapper:0x00007f680f28%04x>","flavour":null}' "${1:-1}" >"$T/string"
	send_files P1 "$T/string"
}
# sed prints nothing, and succeeds, where there is no such file.
item_of() { find "$S/open" "$S/done" "$S/failed" -name "*-$1" -o -name "*-$1.json" | sed 's|.*/||; s|\.json$||'; }
cancel_items() { done_files P1 '*.cancel' | wc -l; }
has_cancel_items() { [ "$(cancel_items)" -eq "$1" ]; }
began() { grep -qx -- "$1" "$T/told.began" 2>/dev/null; }
told() { grep -qx -- "$1" "$T/told" 2>/dev/null; }
outcome_is() { spool-show P1 "$1" | grep -qx "outcome: $2"; }
# In done/ with its marker and nothing else open; nothing of it was sent.
cancelled() # WFID
{
	local f
	f=$(done_files P1 "*-$1.json")
	[ -n "$f" ] && [ -e "${f%.json}.cancelled" ] && result_head "$f" >"$T/head" && [ ! -e "$S/open/$(basename "${f%.json}").cancelled" ]
}
withdrawn() { cancelled "$1" && outcome_is "$1" cancelled; }
# Everything settled, and the spool as docs/SPOOL.md has it.
settled() { idle P1 && spool-check P1; }

# --- who is meant ---

@test "fei an object: exactly that workitem is withdrawn from the queue and never reaches the handler, the others are answered" {
	cancel_home
	bridge_start
	send P1 '{}' w-a
	send P1 '{}' w-b
	send P1 '{}' w-c
	wait_until 10 has_open P1 3
	name=$(item_of w-b)
	cancel_object w-b 0_1 # another expression of the process: not that one
	wait_until 10 has_cancel_items 1
	not [ -e "$S/open/$name.cancelled" ]
	cancel_object w-b
	wait_until 10 withdrawn w-b
	has_cancel_items 2
	[ "$(cat "$(done_files P1 '*-w-b.cancelled')")" = "$(done_files P1 '*.cancel' | tail -n 1 | sed 's|.*/||; s|\.cancel$||')" ]
	exo_start P1
	take 2
	[ "$(reply 'd["fei"]["wfid"]' 1)" = w-a ]
	[ "$(reply 'd["fei"]["wfid"]' 2)" = w-c ]
	no_more
	wait_until 10 settled
	not began w-b
	wait_until 5 unacked_is P1 0
	skynet-show "$name" | grep -q '^cancelled .*by the engine'
	skynet-show "$name" | grep -q '^outcome .*cancelled'
	spool-ls --json --state=done P1 | jq -se '[.[] | select(.cancelled)] | length == 1 and .[0].outcome == "cancelled"'
	row() { "$BROKER_PYTHON" -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("select outcome from run where wfid=?", ["w-b"]).fetchone()[0])' "$H/lib/history.db"; }
	row_is() { [ "$(row)" = "$1" ]; }
	wait_until 5 row_is cancelled
}

@test "fei an object: every workitem with that fei, a replay with other fields too" {
	cancel_home
	bridge_start
	send P1 '{"x":1}' w-a
	send P1 '{"x":2}' w-a
	send P1 '{"x":2}' w-b
	wait_until 10 has_open P1 3
	cancel_object w-a
	wait_until 10 has_done P1 2
	has_open P1 1
	[ "$(done_files P1 '*.cancelled' | wc -l)" -eq 2 ]
	wait_until 5 spool-check P1
}

@test "fei a string, or none: the one workitem that is open is meant; with none open it is recorded" {
	cancel_home
	bridge_start
	cancel_string 1
	wait_until 10 has_cancel_items 1
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	cancel_string 2
	wait_until 10 withdrawn w-a
	send P1 '{}' w-b
	wait_until 10 has_open P1 1
	printf '{"cancel":true,"flavour":"timeout"}' >"$T/none"
	send_files P1 "$T/none"
	wait_until 10 withdrawn w-b
	has_cancel_items 3
	wait_until 5 settled
	wait_until 5 unacked_is P1 0
	no_more
}

@test "fei a string, several open: nothing is cancelled by guess" {
	cancel_home
	bridge_start
	send P1 '{}' w-a
	send P1 '{}' w-b
	wait_until 10 has_open P1 2
	cancel_string
	wait_until 10 has_cancel_items 1 # no exo: there is no handler to be told
	[ -z "$(find "$S" -name '*.cancelled')" ]
	exo_start P1
	take 2
	no_more
	wait_until 5 settled
	logged 'does not say which of several workitems'
}

@test "a workitem that arrived after the cancel item is never meant" {
	cancel_home
	SKYNET_FAIL=cancel.2:kill SKYNET_FAIL_ONCE=$T/hit bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	killed=$(bridge_pid)
	cancel_string
	wait_until 10 gone "$killed"
	[ -e "$T/hit" ]
	# The cancel item is recorded and undecided; w-a goes, by hand, and w-b comes.
	"$BROKER_PYTHON" - "$S" <<-'PY'
		import pathlib, sys
		s = pathlib.Path(sys.argv[1])
		for f in s.glob("open/*-w-a"):
		    f.unlink()
	PY
	sed 's/"w-a"/"w-b"/' >"$T/wi" <<-'JSON'
		{"fields":{},"fei":{"engine_id":"engine","wfid":"w-b","subid":"s","expid":"0_0"}}
	JSON
	spool-put P1 "$T/wi"
	bridge_start
	exo_start P1
	wait_until 10 has_cancel_items 1
	wait_until 20 has_done P1 1
	[ -z "$(find "$S" -name '*.cancelled')" ]
}

# --- where it is ---

@test "a held workitem is withdrawn, hold and all" {
	cancel_home
	bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	spool-hold P1 w-a
	cancel_object w-a
	wait_until 10 withdrawn w-a
	[ -z "$(ls "$S/open")" ]
	wait_until 5 spool-check P1
}

@test "begun, and neither exo nor a worker lives: withdrawn too, and not resumed" {
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" w-a
	wait_until 10 began w-a
	noted() { [ -n "$(ls "$W/cur")" ]; }
	wait_until 10 noted
	pid=$(exo_pid P1)
	kill -KILL "$pid"
	wait_until 10 gone "$pid"
	cancel_object w-a
	wait_until 20 withdrawn w-a # when its worker has ended, too
	exo_start P1
	not noted
	send P1 '{}' w-b
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
	no_more
	[ "$(grep -cx w-a "$T/told.began")" -eq 1 ]
}

@test "its result, good or bad, that comes after the cancel item is kept and not sent; what was sent on the way is" {
	cancel_home
	# Another instance for each: three run at once.
	participant_set P1 'instances = 3'
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" w-a
	send P1 "{\"wait\":\"$T/go\",\"fail\":true}" w-b
	send P1 "{\"wait\":\"$T/go\",\"emit\":true}" w-c
	wait_until 10 began w-a
	wait_until 10 began w-b
	wait_until 10 began w-c
	take 1 # the message on the way
	[ "$(reply 'd["fei"]["wfid"]')" = w-c ]
	for w in w-a w-b w-c; do
		cancel_object $w
	done
	wait_until 10 has_cancel_items 3
	touch "$T/go"
	for w in w-a w-b w-c; do
		wait_until 10 cancelled $w
	done
	no_more
	wait_until 10 settled
	wait_until 5 unacked_is P1 0
}

@test "a reply that waits for its queue is not sent once its workitem is cancelled" {
	home_make "$HOMES/h" # without the engine's queue
	participant P1
	bridge_start
	exo_start P1
	send P1 '{}' w-a
	wait_until 10 logged "no queue $ENGINE"
	cancel_object w-a
	wait_until 10 cancelled w-a
	outcome_is w-a ok
	engine_queue
	send P1 '{}' w-b
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
	no_more
}

# A record in a journal of its own, as a worker of w-a would have it, with BODY.
answer_for() # NAME BODY
{
	mkdir "$T/answer"
	"$BROKER_LIB/answer.py" --add ok "$T/answer" "$1" "$2"
}

@test "a reply in a journal for a cancelled workitem is kept and not sent, whatever it says" {
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" w-a
	wait_until 10 began w-a
	STOPPED=$(exo_pid P1)
	kill -STOP "$STOPPED"
	cancel_object w-a
	wait_until 10 has_cancel_items 1
	name=$(item_of w-a)
	cp "$S/open/$name" "$T/body"
	answer_for "$name" "$(cat "$T/body")"
	mv "$T"/answer/*.results "$W/result"
	wait_until 10 cancelled w-a
	outcome_is w-a ok
	result_body "$(done_files P1 '*-w-a.json')" | cmp - "$T/body"
	wait_until 5 unacked_is P1 0
	no_more
}

@test "an unusable result of a cancelled workitem is not tried again" {
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" w-a
	wait_until 10 began w-a
	exo=$(exo_pid P1)
	kill -STOP "$exo"
	STOPPED=$exo
	cancel_object w-a
	wait_until 10 has_cancel_items 1
	name=$(item_of w-a)
	answer_for "$name" '{"right":1}'
	sed -i 's/"right":1/"wrong":1/' "$T"/answer/*.results # not what its digest says
	mv "$T"/answer/*.results "$W/result"
	wait_until 10 has_failed P1 1
	[ -e "$(failed_files P1 '*.cancelled')" ]
	grep -q '"wrong":1' "$(failed_files P1 '*.rejected')"
	grep -qx 'outcome: invalid' "$(failed_files P1 '*.result')"
	[ -z "$(ls "$S/open")" ]
	no_more
}

# Nobody runs any more, and the answer and what was sent on the way stand in a journal that this bridge has not read.
@test "a cancelled workitem whose handler had answered before exo and the bridge ended: its answer is kept, its message goes out" {
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\",\"late\":true}" w-a
	wait_until 10 began w-a
	STOPPED=$(exo_pid P1) # it is not told
	kill -STOP "$STOPPED"
	cancel_object w-a
	wait_until 10 has_cancel_items 1
	bridge=$(bridge_pid)
	kill -KILL "$bridge"
	wait_until 10 gone "$bridge"
	name=$(item_of w-a)
	[ -e "$S/open/$name.cancelled" ]
	kill -CONT "$STOPPED"
	STOPPED=
	touch "$T/go"
	answered() { "$BROKER_LIB/answer.py" --names "$W/result" | grep -qx "$name"; }
	wait_until 10 answered
	exo_stop P1
	bridge_start
	wait_until 10 cancelled w-a
	outcome_is w-a ok
	result_body "$(done_files P1 '*-w-a.json')" | grep -q '"__result__":true'
	take 1
	[ "$(reply '"__result__" in d["fields"]')" = False ]
	[ -e "$(done_files P1 '*-w-a.m0001')" ]
	wait_until 10 settled
	no_more
}

# The journal is one that the bridge does not open, and it hears nothing of it when that is over.
@test "a workitem whose answer stands in a journal that was not read yet is not withdrawn: its answer is kept" {
	export SKYNET_RECONCILE_S=1000
	cancel_home
	bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	name=$(item_of w-a)
	cp "$S/open/$name" "$T/body"
	answer_for "$name" "$(cat "$T/body")"
	leaf=$(ls "$T/answer")
	ln "$T/answer/$leaf" "$W/result/$leaf"
	wait_until 10 logged "journal=$leaf: Too many links"
	rm "$T/answer/$leaf"
	cancel_object w-a
	wait_until 10 cancelled w-a
	outcome_is w-a ok
	result_body "$(done_files P1 '*-w-a.json')" | cmp - "$T/body"
	not logged "name=$name: withdrawn"
	no_more
}

@test "a workitem that somebody else has locked is withdrawn when he lets go" {
	cancel_home
	bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	exec {lock}<"$S/open/$(item_of w-a)"
	flock -n "$lock"
	cancel_object w-a
	wait_until 10 logged 'exo cannot be told of a cancellation yet'
	has_open P1 2
	exec {lock}<&-
	wait_until 40 withdrawn w-a
	wait_until 5 settled
}

@test "the broker is away: what was handed in is withdrawn all the same" {
	export SKYNET_RECONCILE_S=1000
	cancel_home
	bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	broker_stop "$BROKER"
	wait_until 20 state_is amqp-spool connecting
	object_item w-a >"$T/item"
	spool-put P1 "$T/item"
	wait_until 10 withdrawn w-a
}

@test "as long as a message of it waits for the broker the bridge has it in hand: no worker begins it" {
	cancel_home
	bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	name=$(item_of w-a)
	broker_stop "$BROKER"
	wait_until 20 state_is amqp-spool connecting
	answer_for "$name" "$(cat "$S/open/$name")"
	sed -i -e 's/^send: reply/send: message/' -e 's/^workitem: .*/&\nmessage: 1/' "$T"/answer/*.results
	mv "$T"/answer/*.results "$W/result"
	object_item w-a >"$T/item"
	spool-put P1 "$T/item"
	in_hand() { ! flock -n "$S/open/$name" true; }
	wait_until 10 in_hand
	exo_start P1
	wait_until 10 exo_logged P1 "name=$name: is not there any more"
	in_hand
	broker_restart "$BROKER"
	engine_queue
	kill -HUP "$(bridge_pid)"
	take 1 60
	[ -e "$(done_files P1 '*-w-a.m0001')" ]
	wait_until 40 withdrawn w-a
	no_more
	not began w-a
}

@test "a workitem that waits behind another, also one that a worker has ahead: withdrawn at once, never begun" {
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" w-a
	wait_until 10 began w-a
	send P1 '{}' w-b
	send P1 '{}' w-c
	wait_until 10 has_open P1 3
	cancel_object w-b
	wait_until 10 withdrawn w-b
	touch "$T/go"
	take 2
	[ "$(reply 'd["fei"]["wfid"]' 1)" = w-a ]
	[ "$(reply 'd["fei"]["wfid"]' 2)" = w-c ]
	not began w-b
	no_more
	wait_until 10 settled
}

# --- being worked on ---

@test "a workitem that is being worked on: its handler is told, nothing is sent, the next one goes on" {
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/never\"}" w-a
	wait_until 10 began w-a
	send P1 '{}' w-b
	wait_until 10 has_open P1 2
	cancel_object w-a
	wait_until 10 told w-a
	wait_until 10 cancelled w-a
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
	no_more
	wait_until 10 settled
	[ "$(wc -l <"$T/told")" -eq 1 ]
	wait_until 5 unacked_is P1 0
}

@test "fei a string, several open: every running handler is told, and each workitem is answered" {
	cancel_home
	participant_set P1 'instances = 2'
	bridge_start
	exo_start P1
	for w in w-a w-b; do
		send P1 "{\"wait\":\"$T/go\"}" $w
		wait_until 10 began $w
	done
	cancel_string
	both_told() { [ "$(wc -l <"$T/told")" -eq 2 ]; }
	wait_until 10 both_told
	wait_until 10 has_cancel_items 1
	take 2
	[ -z "$(find "$S" -name '*.cancelled' -o -name '*.tell')" ]
	wait_until 10 settled
}

@test "a worker that dies of it does not run it again; nothing is sent" {
	cancel_home
	participant P1 "${HANDLER/self.cancelled = True/os._exit(3)}"
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/never\"}" w-a
	wait_until 10 began w-a
	cancel_object w-a
	wait_until 10 cancelled w-a
	send P1 '{}' w-b
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
	no_more
	[ "$(grep -cx w-a "$T/told.began")" -eq 1 ]
}

@test "an exo that does not answer: others go on, it is told when it does" {
	cancel_home
	participant P2 "$HANDLER"
	participant P1 "$HANDLER"
	bridge_start
	exo_start P1
	exo_start P2
	send P1 "{\"wait\":\"$T/never\"}" w-a
	wait_until 10 began w-a
	STOPPED=$(exo_pid P1)
	kill -STOP "$STOPPED"
	cancel_object w-a
	cancel_string
	wait_until 10 logged 'participant=P1: exo cannot be told'
	send P2 '{}' w-c
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-c ]
	# Nor is a bridge that stops held up.
	bridge_stop
	bridge_start
	kill -CONT "$STOPPED"
	STOPPED=
	wait_until 40 told w-a
	wait_until 10 cancelled w-a
	no_more
	wait_until 40 settled
}

@test "an exo that dies and comes again is told again, and the next attempt is not answered either" {
	cancel_home
	participant P1 "${HANDLER/self.cancelled = True/self.cancelled = os.path.exists(os.environ[\"TOLD\"] + \".heed\")}"
	bridge_start
	keep_exo P1
	wait_until 20 state_is P1 ready
	send P1 "{\"wait\":\"$T/never\"}" w-a
	wait_until 10 began w-a
	cancel_object w-a
	wait_until 10 told w-a
	touch "$T/told.heed"
	kill -KILL "$(exo_pid P1)"
	# The bridge withdraws it if it looks while no exo lives, else the new one resumes it and is told.
	wait_until 60 cancelled w-a
	no_more
	wait_until 10 settled
}

@test "a control socket that is not the participant's own is not spoken to" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	cancel_home
	bridge_start
	exo_start P1
	send P1 "{\"wait\":\"$T/go\"}" w-a
	wait_until 10 began w-a
	mv "$H/run/P1/control" "$H/run/P1/control.real"
	ln -s control.real "$H/run/P1/control" # a link is not followed
	cancel_object w-a
	wait_until 10 logged 'exo cannot be told of a cancellation yet: Operation not permitted'
	mkdir "$T/other"
	"$BROKER_PYTHON" - "$T/other" <<-'PY' 3>&- &
		import os, socket, sys
		heard = open(sys.argv[1] + "/heard", "wb", buffering=0)
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1] + "/control")
		os.setuid(12345)
		s.listen()
		heard.write(b"listens\n")
		heard.write(b"said: " + s.accept()[0].recv(4096) + b"\n")
	PY
	echo $! >>"$HOME_PIDS"
	wait_until 10 grep -qx listens "$T/other/heard"
	mv "$T/other/control" "$H/run/P1/control" # nor is anybody else spoken to
	wait_until 20 grep -qx 'said: ' "$T/other/heard"
	not [ -e "$T/told" ]
	touch "$T/go"
	wait_until 10 cancelled w-a
	no_more
}

# --- by hand ---

@test "spool-put and skynet put hand in cancel items, also without a broker" {
	cancel_home brokerless
	bridge_start brokerless
	printf '{"fields":{},"fei":{"engine_id":"engine","wfid":"w-a","subid":"%032d","expid":"0_0"}}' 0 >"$T/wi"
	spool-put P1 "$T/wi"
	object_item w-a >"$T/item"
	name=$(skynet-put --wait=10 P1 "$T/item")
	wait_until 5 withdrawn w-a
	[ "$(done_files P1 '*.cancel' | sed 's|.*/||; s|\.cancel$||')" = "$name" ]
	cmp "$(done_files P1 '*.cancel')" "$T/item"
	# While the bridge is down it waits.
	bridge_stop
	spool-put P1 "$T/wi"
	spool-put P1 "$T/item"
	spool-check P1
	run -124 skynet-put --wait=0.2 P1 "$T/item"
	bridge_start brokerless
	wait_until 10 has_done P1 2
	wait_until 10 has_cancel_items 3
	wait_until 5 settled
	rung() { [ -z "$(find "$W/result" -name '*.cancel')" ]; } # spool-put's bell was taken away
	wait_until 5 rung
}

@test "a workitem that was put behind the bridge's back is found by its fei" {
	cancel_home
	bridge_start
	printf '{"fields":{},"fei":{"engine_id":"engine","wfid":"w-a","subid":"%032d","expid":"0_0"}}' 0 >"$T/wi"
	spool-put P1 "$T/wi"
	cancel_object w-a
	wait_until 10 withdrawn w-a
}

@test "a cancel item that spool-put still writes when the bridge starts is left alone, and decided; what nobody writes any more is removed" {
	cancel_home
	string() { printf '{"cancel":true,"fei":"#<Ruote::HashWrapper:0x%s>"}' "$1"; }
	leaf() { echo "20261122T105443.86511$1-0000-$(string "$1" | sha256sum | head -c 16)-_.cancel"; }
	string 1 | head -c 20 >"$S/open/$(leaf 1)"
	string 2 | head -c 20 >"$S/open/$(leaf 2)"
	exec {half}>>"$S/open/$(leaf 1)" {empty}>"$S/open/$(leaf 3)"
	flock "$half"
	flock "$empty"
	spool-check --repair P1 >"$T/check" || true
	not grep -q -e "$(leaf 1)" -e "$(leaf 3)" "$T/check"
	string 2 | head -c 20 >"$S/open/$(leaf 2)" # that is repaired
	bridge_start
	[ "$(ls "$S/open")" = "$(leaf 1; leaf 3)" ]
	string 1 | tail -c +21 >&"$half"
	string 3 >&"$empty"
	flock -u "$half" # the bridge has the descriptors as well
	flock -u "$empty"
	exec {half}>&- {empty}>&-
	for n in 1 3; do
		wait_until 60 test -e "$S/done/20261122/1054/$(leaf $n)"
		string $n | cmp - "$S/done/20261122/1054/$(leaf $n)"
	done
}

@test "spool-check: a marker without a workitem, a cancel item that was cut short" {
	cancel_home brokerless
	spool-put P1 - <<-'JSON'
		{"fields":{},"fei":{"engine_id":"engine","wfid":"w-a","subid":"s","expid":"0_0"}}
	JSON
	name=$(item_of w-a)
	: >"$S/open/$name.cancelled"
	spool-check P1
	rm "$S/open/$name"
	run -1 spool-check P1
	[[ $output == *cancel-stale* ]]
	spool-check --repair P1
	[ -z "$(ls "$S/open")" ]
	printf '{"cancel"' >"$S/open/$name.cancel"
	run -1 spool-check P1
	[[ $output == *cancel-damaged* ]]
	bridge_start brokerless
	wait_until 5 spool-check P1
	[ -z "$(ls "$S/open")" ]
}

# --- crashes ---

# w-a waits and is cancelled by its fei; the process is hit before STEP; w-b is to be answered.
hit_waiting() # STEP ACTION
{
	home_make "$HOMES/$1.$2"
	home_set '[skynet]' 'sync_after = 0.05'
	participant P1
	engine_queue
	SKYNET_FAIL=$1:$2 SKYNET_FAIL_ONCE=$H/hit keep_bridge
	wait_until 20 state_is amqp-spool connected
	send P1 '{}' w-a
	send P1 '{}' w-b
	wait_until 10 has_open P1 2
	cancel_object w-a
	wait_until 40 withdrawn w-a
	[ -e "$H/hit" ]
	keep_exo P1
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
	no_more
	wait_until 40 settled
	[ "$(cancel_items)" -ge 1 ]
	wait_until 10 unacked_is P1 0
}

@test "cancel.1 to cancel.4 and cancel.6: killed or failing, an object's workitem is withdrawn, the other one answered" {
	for step in cancel.1 cancel.2 cancel.3 cancel.4 cancel.6; do
		for action in kill eio; do
			echo "$step $action"
			hit_waiting $step $action
			amqp purge "$ENGINE"
			touch "$H/stop.bridge" "$H/stop.P1"
			exo_stop P1
			bridge_stop
		done
	done
}

@test "cancel.5 and cancel.7: killed or failing, the handler is told, nothing is sent" {
	for point in cancel.5:kill cancel.5:eio cancel.7:kill cancel.7:eio; do
		echo "$point"
		home_make "$HOMES/$point"
		home_set '[skynet]' 'sync_after = 0.05'
		participant P1 "$HANDLER"
		participant_set P1 'instances = 2'
		rm -f "$T/told" "$T/told.began"
		echo "TOLD=$T/told" >"$H/etc/skynet.env"
		engine_queue
		SKYNET_FAIL=$point SKYNET_FAIL_ONCE=$H/hit keep_bridge
		keep_exo P1
		wait_until 20 state_is amqp-spool connected
		wait_until 20 state_is P1 ready
		send P1 "{\"wait\":\"$T/never\"}" w-a
		wait_until 10 began w-a
		case $point in
		cancel.5:*)
			cancel_object w-a
			wait_until 40 cancelled w-a
			no_more
			;;
		cancel.7:*)
			send P1 "{\"wait\":\"$T/never\"}" w-b
			wait_until 10 began w-b
			cancel_string
			take 2
			wait_until 40 has_cancel_items 1
			;;
		esac
		[ -s "$T/told" ]
		[ -e "$H/hit" ]
		wait_until 40 settled
		wait_until 10 unacked_is P1 0
		exo_stop P1
		bridge_stop
	done
}

# Two are open, one is meant: a string that was decided is not decided again for what is then the only one.
@test "cancel.2 to cancel.6: killed, the redelivered string does not cancel the next workitem" {
	for step in cancel.2 cancel.3 cancel.4 cancel.6 ack.2; do
		echo "$step"
		home_make "$HOMES/s.$step"
		home_set '[skynet]' 'sync_after = 0.05'
		participant P1
		engine_queue
		SKYNET_FAIL=$step:kill SKYNET_FAIL_ONCE=$H/hit keep_bridge
		wait_until 20 state_is amqp-spool connected
		send P1 '{}' w-a
		wait_until 20 has_open P1 1
		wait_until 20 state_is amqp-spool connected
		cancel_string
		wait_until 40 withdrawn w-a
		[ -e "$H/hit" ]
		wait_until 20 state_is amqp-spool connected
		send P1 '{}' w-b
		keep_exo P1
		take 1
		[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
		wait_until 10 unacked_is P1 0
		wait_until 10 settled
		[ "$(done_files P1 '*.cancelled' | wc -l)" -eq 1 ]
		[ "$(cancel_items)" -eq 1 ]
		exo_stop P1
		bridge_stop
		amqp purge "P1.$TAG"
	done
}

@test "the connection is lost before the ack: the cancel item that comes again is not decided again" {
	cancel_home
	home_set '[skynet]' 'sync_after = 30'
	bridge_start
	send P1 '{}' w-a
	wait_until 10 has_open P1 1
	cancel_string
	wait_until 10 withdrawn w-a
	send P1 '{}' w-b
	wait_until 10 has_open P1 1
	broker_close_connections "$BROKER"
	wait_until 20 logged 'a cancel item that the broker sent again'
	has_open P1 1
	[ -z "$(find "$S/open" -name '*.cancelled')" ]
	exo_start P1
	take 1
	[ "$(reply 'd["fei"]["wfid"]')" = w-b ]
}

# --- many ---

@test "a storm: 1,000 cancel items for half of 1,000 workitems, while others come and are answered" {
	cancel_home
	participant_set P1 'hold = 100000' 'instances = 2'
	bridge_start
	send_many P1 1000
	wait_until 40 has_open P1 1000
	"$BROKER_PYTHON" - "$T/items" <<-'PY'
		import json, pathlib, sys
		d = pathlib.Path(sys.argv[1])
		d.mkdir()
		for n in range(1, 501):
		    fei = {"engine_id": "engine", "wfid": f"20261122-{n:06d}", "subid": "0" * 32, "expid": "0_0"}
		    for flavour in ("null", "kill"):
		        (d / f"{n:04d}{flavour}").write_text(json.dumps({"cancel": True, "fei": fei, "flavour": flavour}))
	PY
	send_files P1 "$T"/items/0[0-2]*
	exo_spawn P1 # it begins while more come
	send_files P1 "$T"/items/0[3-9]*
	wait_until 60 has_cancel_items 1000
	wait_until 90 has_done P1 1000
	wait_until 60 settled
	done=$(done_files P1 '*.cancelled' | wc -l)
	echo "$done cancelled"
	# Those that were answered before their cancel item came are not: all the rest was.
	[ "$done" -ge 299 ] && [ "$done" -le 500 ]
	take $((1000 - done)) 60
	no_more
	"$BROKER_PYTHON" - "$REPLIES" "$S/done" <<-'PY'
		import json, pathlib, sys
		replied = [json.loads(f.read_bytes())["fields"]["n"] for f in pathlib.Path(sys.argv[1]).iterdir()]
		cancelled = [json.loads(f.with_suffix(".json").read_bytes())["fields"]["n"]
		             for f in pathlib.Path(sys.argv[2]).glob("*/*/*.cancelled")]
		assert len(set(replied)) == len(replied) and not set(replied) & set(cancelled)
		assert set(replied) | set(cancelled) == set(range(1, 1001)) and max(cancelled) <= 500
	PY
	wait_until 10 unacked_is P1 0
}
