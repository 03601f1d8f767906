#!/usr/bin/env bats
# A participant that means harm: what it plants in work/ is never read into a reply, never moves or removes what is not its
# own, and stalls nobody else. Where no exo runs, the test is the participant. Then the permissions, with real uids.
# shellcheck disable=SC1091,SC2016,SC2030,SC2031,SC2034,SC2086,SC2089,SC2090,SC2154,SC2258,SC2317 # what bats and home.sh set, and bats' subshells
bats_require_minimum_version 1.5.0

. "$BATS_TEST_DIRNAME/../lib/broker_file.bash"

setup()
{
	file_home
	# Well formed, so that a bridge that followed a link would take it.
	SECRET=$T/secret
	name=20261122T105443.865116-0000-9f86d081884c7d65-secret
	BODY='{"fei":{"engine_id":"engine","wfid":"20261122-000001","subid":"00000000000000000000000000000000","expid":"0_0"},"fields":{"TOPSECRET":1}}'
	whole "$BODY" >"$SECRET"
	cp "$SECRET" "$SECRET.copy"
	before=$(stat -c '%i %h %s %Y' "$SECRET")
}

# A result of $name with this body, as a worker writes it.
whole() # BODY [SEND [NUMBER]]
{
	printf 'outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:44.115116Z\n'
	printf 'send: %s\nlength: %s\nsha256: %s\nworkitem: %s\n' "${2:-reply}" "$(printf %s "$1" | wc -c)" \
		"$(printf %s "$1" | sha256sum | cut -d' ' -f1)" "$name"
	[ -z "${3:-}" ] || printf 'message: %s\n' "$3"
	printf '\n%s\n' "$1"
}

# A name for another journal: $journal.
new_journal()
{
	JOURNALS=$((${JOURNALS:-0} + 1))
	journal=$W/result/$(printf '20261122T105443.%06d-1.results' "$JOURNALS")
}

bridge_and() # NAME…
{
	home_make "$HOMES/h"
	for p in "$@"; do
		participant "$p"
	done
	engine_queue
	bridge_start
	S=$H/spool/$1
	W=$S/work
}

# A workitem for P1, which the test answers: $name.
claimed() # N: its number
{
	_publish "P1.$TAG" workitems 1 '' "20261122-$1" ''
	is_open() { [ -n "$(find "$S/open" -size +0 -name "*20261122-$1")" ]; }
	wait_until 10 is_open "$1"
	name=$(basename "$(find "$S/open" -name "*20261122-$1")")
}

# The body of a good reply to $name.
good() { jq -c '.fields.good = true' "$S/open/$name"; }
answer() # BODY [SEND [NUMBER]]: puts it there as a worker does
{
	new_journal
	whole "$@" >"$journal"
}

untouched()
{
	[ "$(stat -c '%i %h %s %Y' "$SECRET")" = "$before" ]
	cmp "$SECRET.copy" "$SECRET"
}

# Nowhere in what the bridge wrote, and not at the broker.
secret_is_safe()
{
	not grep -rqs TOPSECRET "$S/done" "$S/failed" "$S/open" "$H/log" "$H/run"
	untouched
}

rejected() { [ "$(grep -c "name=$name: the result is" "$H/log/bridge.txt")" -eq "$1" ]; } # times
cleared() { [ ! -e "$journal" ] && [ ! -L "$journal" ]; }
retired_failed() { [ -n "$(failed_files P1 "$name.json")" ] && [ ! -e "$S/open/$name" ]; }

plant() # KIND: a journal, or what has the name of one
{
	local at tmp=$T/plant
	new_journal
	at=$journal
	case $1 in
	symlink) ln -s "$SECRET" "$at" ;;
	symlink-dir) ln -s "$T" "$at" ;;
	dangling) ln -s nowhere "$at" ;;
	procfd) ln -s /proc/self/fd/0 "$at" ;;
	fifo) mkfifo "$at" ;;
	directory) mkdir -p "$tmp/full" && mv "$tmp" "$at" ;;
	device) mknod "$tmp" c 1 5 && mv "$tmp" "$at" ;; # /dev/zero
	socket) "$BROKER_PYTHON" -c 'import os,socket,sys; os.chdir(sys.argv[2]); socket.socket(socket.AF_UNIX).bind("s"); os.rename("s", sys.argv[1])' "$at" "$T" ;;
	sparse) truncate -s 100G "$tmp" && mv "$tmp" "$at" ;;
	empty) : >"$at" ;;
	junk) head -c 3000 /dev/urandom | tr -d '\n' >"$at" ;;
	nul) head -c 3000 /dev/zero >"$at" ;;
	newlines) yes '' | head -n 3000 >"$at" ;;
	short) whole "$(good)" | head -c -10 >"$at" ;;
	half-header) whole "$(good)" | head -c 100 >"$at" ;;
	long) whole "$(good)" | sed '$s/$/x/' >"$at" ;;
	digest) whole "$(good)" | sed 's/^sha256: ..../sha256: 0000/' >"$at" ;;
	length) whole "$(good)" | sed 's/^length: .*/length: 18446744073709551615/' >"$at" ;;
	attempt) whole "$(good)" | sed 's/^attempt: .*/attempt: -1/' >"$at" ;;
	nobody) whole "$(good)" | sed '/^workitem: /d' >"$at" ;;
	header) yes 'outcome: ok' | head -n 100000 >"$at" ;;
	huge) # a whole record, of 50 GB that take no room
		whole '' | sed -e '/^sha256/d' -e 's/^length: .*/length: 50000000000/' -e '$d' >"$tmp"
		truncate -s $(($(stat -c %s "$tmp") + 50000000000)) "$tmp" && echo >>"$tmp" && mv "$tmp" "$at"
		;;
	esac
}

# What the bridge reads the end of, and waits for more; nothing shows that it has seen it.
waits() { case $1 in empty | short | half-header) true ;; *) false ;; esac; }
# What is a whole record, of something that cannot be sent: the work is done again.
recorded() { case $1 in digest | huge) true ;; *) false ;; esac; }

@test "what is no journal, and no record, is not read; a record of what cannot be sent has the work done again; a right answer still counts" {
	bridge_and P1
	kinds='symlink symlink-dir dangling procfd fifo directory socket sparse empty junk nul newlines short half-header long digest length
		attempt nobody header huge'
	[ "$(id -u)" -ne 0 ] || kinds="$kinds device"
	n=0
	for kind in $kinds; do
		n=$((n + 1))
		claimed "$kind"
		plant "$kind"
		if recorded "$kind"; then
			wait_until 10 rejected 1
		elif ! waits "$kind"; then
			wait_until 10 cleared || {
				echo "planted: $kind"
				false
			}
		fi
		[ -e "$S/open/$name" ]
		answer "$(good)"
		wait_until 10 has_done P1 $n || {
			echo "planted: $kind"
			false
		}
	done
	take $n
	for i in $(seq $n); do
		[ "$(reply 'd["fields"]["good"] and "error" not in d' "$i")" = True ]
	done
	no_more
	secret_is_safe
	[ -d "$T/homes" ]
	[ -d "$(echo "$W"/result/bad.*)/full" ] # left to the participant
	has_failed P1 0
	[ "$(bridge_pid)" = "$bridge" ]
	idle P1
	# What waited is unlinked when it is old, with all that was answered.
	emptied() { [ -z "$(find "$W/result" -name '*.results')" ]; }
	wait_until 90 emptied
}

@test "a journal that grows, is cut, written anew, renamed and unlinked while it is read: what was whole counts, once" {
	bridge_and P1
	claimed grows
	new_journal
	grown=$journal
	grow() { # in pieces, with a pause that the bridge can read in
		whole "$(good)" | while read -r line; do
			printf '%s\n' "$line" >>"$grown"
			"$BROKER_PYTHON" -c 'import time; time.sleep(0.02)'
		done
	}
	grow
	wait_until 10 has_done P1 1
	claimed cut
	whole "$(good)" >>"$grown"
	truncate -s 100 "$grown"
	wait_until 10 has_done P1 2 || { # cut before it was read: it runs again, which the test does
		answer "$(good)"
		wait_until 10 has_done P1 2
	}
	claimed renamed
	new_journal
	whole "$(good)" >"$journal"
	mv "$journal" "${journal%-1.results}-2.results"
	wait_until 10 has_done P1 3
	claimed unlinked
	answer "$(good)"
	rm -f "$journal"
	wait_until 10 has_done P1 4 || {
		answer "$(good)"
		wait_until 10 has_done P1 4
	}
	take 4
	[ "$(for i in 1 2 3 4; do reply 'd["fei"]["wfid"]' $i; done | sort -u | wc -l)" -eq 4 ]
	no_more
	has_failed P1 0
	idle P1
}

@test "bad results max_attempts times: an error reply, outcome invalid, the workitem in failed/ with the reason" {
	bridge_and P1
	claimed thrice
	plant huge
	wait_until 10 rejected 1
	plant digest
	wait_until 10 rejected 2
	[ -e "$S/open/$name" ]
	plant digest
	take 1
	[ "$(reply 'd["error"]["class"]')" = RuntimeError ]
	[ "$(reply 'd["fei"]["wfid"]')" = 20261122-thrice ]
	[ "$(reply 'isinstance(d["error"]["trace"], list) and len(d["error"]["message"]) > 0')" = True ]
	wait_until 5 retired_failed
	grep -q '^outcome: invalid' "$(failed_files P1 "$name.log")"
	no_more
	secret_is_safe
}

@test "whole results with a wrong body become an invalid error reply: NaN, UTF-8, no JSON, another fei" {
	bridge_and P1
	claimed other
	victim=$name
	n=0
	wrong() # WHAT BODY
	{
		n=$((n + 1))
		claimed "$1"
		answer "$2"
		wait_until 10 retired_failed || {
			echo "wrong body: $1"
			false
		}
		grep -q '^outcome: invalid' "$(failed_files P1 "$name.log")"
	}
	fei() { jq -c .fei "$S/open/$1"; }
	# $name is the one before: each body is made for the fei of the next.
	f() { printf '{"engine_id":"engine","wfid":"20261122-%s","subid":"00000000000000000000000000000000","expid":"0_0"}' "$1"; }
	wrong nan "{\"fei\":$(f nan),\"fields\":{\"x\":NaN}}"
	wrong infinity "{\"fei\":$(f infinity),\"fields\":{\"x\":-Infinity}}"
	wrong double "{\"fei\":$(f double),\"fields\":{\"x\":1e400}}"
	wrong utf8 "$(printf '{"fei":%s,"fields":{"x":"\377\376"}}' "$(f utf8)")"
	wrong bom "$(printf '\357\273\277{"fei":%s,"fields":{}}' "$(f bom)")"
	wrong text 'TOPnosecret'
	wrong array "[$(f array)]"
	wrong nofields "{\"fei\":$(f nofields)}"
	wrong nullfields "{\"fei\":$(f nullfields),\"fields\":null}"
	wrong trailing "{\"fei\":$(f trailing),\"fields\":{}} {}"
	wrong twofei "{\"fei\":$(f other),\"fields\":{},\"fei\":$(f other)}"
	wrong stolen "{\"fei\":$(fei "$victim"),\"fields\":{\"stolen\":true}}"
	take $n
	for i in $(seq $n); do
		[ "$(reply '"error" in d and "stolen" not in d["fields"]' "$i")" = True ]
		[ "$(reply 'd["fei"]["wfid"] == "20261122-other"' "$i")" = False ]
	done
	no_more
	[ -e "$S/open/$victim" ]
}

@test "names: hostile ones, another participant's, attempts; nothing of another's is answered or moved" {
	bridge_and P1 P2
	send P2 '{"wait":"/nowhere"}' 20261122-others
	wait_until 10 has_open P2 1
	other=$(ls "$H/spool/P2/open")
	claimed mine
	mine=$name
	long=$(head -c 255 /dev/zero | tr '\0' L)
	for dir in "$W/result" "$W/cur"; do
		for leaf in $'new\nline' $'\033[31mred' "$long" ..., ' ' -rf '*' "$mine,a1" "$mine,a999" "$mine,a0" "$mine.m0000" "$mine.hold" \
			"${mine%-mine}-..%2f" "$other" "$other,a1" "$other.m0001" .results 20261122T105443.865116-.results \
			20261122T105443.865116-1.results.results $'20261122T105443.865116-1\n.results'; do
			[ -e "$dir/$leaf" ] || ln -s "$SECRET" "$dir/$leaf"
		done
	done
	only_ours() { [ -z "$(find "$W/result" -mindepth 1 ! -name '*-1.results')" ]; }
	wait_until 10 only_ours
	# A good looking answer to the other participant's workitem, a message in its name, and names that are none.
	name=$other
	answer "$(jq -c '.fields.forged = true' "$H/spool/P2/open/$other")"
	answer "$(jq -c '.fields.forged = true' "$H/spool/P2/open/$other")" message 1
	for name in ../../P2/open/x "$mine,a1" "$mine/" . ''; do
		answer "$(jq -c '.fields.forged = true' "$S/open/$mine")"
		wait_until 10 cleared
	done
	orphaned() { [ -n "$(failed_files P1 "$other.result")" ] && logged "name=$other.m0001: message dropped"; }
	wait_until 10 orphaned
	name=$mine
	answer "$(good)"
	take 1
	[ "$(reply 'd["fields"]["good"]')" = True ]
	wait_until 10 has_done P1 1
	no_more
	has_open P2 1
	[ -e "$H/spool/P2/open/$other" ]
	has_done P2 0
	[ "$(find "$H/spool" -name '*.hold' -path '*open*' | wc -l)" -eq 0 ]
	secret_is_safe
	# The log shows control characters escaped.
	not grep -q $'\033' "$H/log/bridge.txt"
	# exo finds all that in cur/ and does its work.
	exo_start P1
	exo_start P2
	send P1
	wait_until 10 has_done P1 2
	secret_is_safe
	not grep -rq TOPSECRET "$W/result"
}

@test "messages in a workitem's name: links and junk are dropped, a forged fei is not sent, the reply is" {
	bridge_and P1
	claimed sender
	new_journal
	whole "$(good)" message 1 | sed 's/^sha256: ..../sha256: 0000/' >"$journal"
	{
		whole "$BODY" message 2
		whole "$(good)" reply 3
		whole '{"definition":"x","fei":{},"fields":{}}' launch 4 # would be taken for a reply
		whole 'no JSON' message 5
	} >>"$journal"
	all_dropped() { [ "$(grep -c "name=$name.m000[1-5]: message dropped" "$H/log/bridge.txt")" -ge 5 ]; }
	wait_until 10 all_dropped
	answer "$(good)"
	take 1
	[ "$(reply 'd["fields"]["good"]')" = True ]
	wait_until 10 has_done P1 1
	no_more
	untouched
}

@test "a note in cur/ is a number, wherever it links to: what is worked on lies in open/" {
	bridge_and P1
	claimed swapped
	jq -c '.fields.show = "TOPSECRET"' "$S/open/$name" >"$T/other"
	ln -s "$T/other" "$W/cur/$name,a1"
	ln -s "$T/other" "$W/cur/$name,a0"
	mkdir "$W/cur/$name,a999"
	exo_start P1
	take 1
	[ "$(reply 'd["fields"].get("show")')" = None ]
	[ "$(reply 'd["fields"]["__result__"]')" = True ]
	wait_until 5 has_done P1 1
	spool_verify P1 1
	result_head "$(done_files P1)" | grep -qx 'attempt: 2'
	grep -q TOPSECRET "$T/other"
}

@test "a hard link is left alone; a flood of 20,000 files stalls neither the other participant nor, for long, its own" {
	bridge_and P1 P2
	exo_start P2
	claimed linked
	linked=$name
	new_journal
	link=$journal
	ln "$SECRET" "$link"
	before=$(stat -c '%i %h %s %Y' "$SECRET")
	wait_until 5 logged "journal=${link##*/}: Too many links"
	send P2
	take 1
	"$BROKER_PYTHON" - "$W/result" 20000 3>&- <<-'PY' &
		import os, sys
		d = os.open(sys.argv[1], os.O_RDONLY)
		for i in range(int(sys.argv[2])):
		    os.close(os.open(f"junk{i}", os.O_WRONLY | os.O_CREAT, dir_fd=d))
	PY
	flood=$!
	some_junk() { logged 'entry=junk'; }
	wait_until 10 some_junk
	send_many P2 300
	take 300 15 # and it takes no longer than that
	once 300
	wait "$flood"
	# Still nothing of the link was read; it goes when the participant takes it away and answers.
	secret_is_safe
	[ "$(bridge_pid)" = "$bridge" ]
	rm "$link"
	name=$linked
	answer "$(good)"
	take 1 70
	[ "$(reply 'd["fields"]["good"]')" = True ]
	no_more
}

@test "30,000 entries behind an inotify overflow are cleared at once, step by step, others go on" {
	bridge_and P1 P2
	exo_start P2
	STOPPED=$bridge
	kill -STOP "$bridge"
	"$BROKER_PYTHON" - "$H/spool/P1/work/result" 30000 <<-'PY'
		import os, sys
		d = os.open(sys.argv[1], os.O_RDONLY)
		for i in range(int(sys.argv[2])):
		    os.close(os.open(f"junk{i}", os.O_WRONLY | os.O_CREAT, dir_fd=d))
	PY
	send_many P2 50
	kill -CONT "$bridge"
	STOPPED=
	take 50 15
	once 50
	swept() { [ -z "$(ls -U "$H/spool/P1/work/result")" ]; }
	wait_until 25 swept # 2,000 of them every 30 s would take minutes
	[ "$(bridge_pid)" = "$bridge" ]
}

@test "100,000 results of workitems that nobody has, in 50 journals: others go on before they are put aside" {
	bridge_and P1 P2
	exo_start P2
	STOPPED=$bridge
	kill -STOP "$bridge"
	"$BROKER_PYTHON" - "$W/result" "$BROKER_LIB" <<-'PY'
		import os, sys
		sys.path.insert(0, sys.argv[2])
		import answer
		for j in range(50):
		    names = (f"20261122T1054{j:02d}.{i:06d}-0000-9f86d081884c7d65-w" for i in range(2000))
		    with open(os.path.join(sys.argv[1], f"20261122T105443.{j:06d}-1.results"), "wb") as f:
		        f.write(b"".join(answer.record("ok", name, b'{"fei":{},"fields":{}}') for name in names))
	PY
	send_many P2 20
	kill -CONT "$bridge"
	STOPPED=
	take 20 60
	aside=$(find "$S/failed" -name '*.result' | wc -l)
	echo "put aside: $aside"
	[ "$aside" -lt 50000 ] # time is no measure: machines differ
	once 20
	[ "$(bridge_pid)" = "$bridge" ]
}

# --- permissions, with real uids, in the system home of a mount namespace of its own ---

# Runs inside of it. P1 is run by nobody, P2 by games, the bridge by daemon; svlogd does not matter here.
system_home()
{
	set -eu
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/up /mnt/work
	mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/up,workdir=/mnt/work /etc
	mount -t tmpfs tmpfs /run
	mount -t tmpfs tmpfs /var/spool
	mount -t tmpfs tmpfs /var/lib
	mkdir -p /etc/skynet/conf.d /var/spool/skynet /var/log/skynet # prepare makes /var/lib/skynet
	printf '[skynet]\nuser = daemon\n[boss]\namqp_host = none\namqp_password_file = password\n' >/etc/skynet/skynet.conf
	echo sesame >/etc/skynet/password
	chown daemon /etc/skynet/password
	chmod 600 /etc/skynet/password
	for p in P1:nobody P2:games; do
		mkdir -p "/etc/skynet/sv/skynet-${p%:*}"
		printf '[participant]\nuser = %s\n' "${p#*:}" >"/etc/skynet/sv/skynet-${p%:*}/config.exo"
		printf '%s\n' "$HANDLER" >"/etc/skynet/sv/skynet-${p%:*}/code.py"
		skynet-mkspool "${p%:*}"
	done
	as=$(skynet-prepare amqp-spool)
	chpst -u "$as" "$LIBEXEC/amqp-spool" >/run/bridge.txt 2>&1 &
	pids=$!
	trap 'kill -KILL $pids 2>/dev/null || :' EXIT
	work1=$(skynet-put P1 "$ITEM" 2>/dev/null)
	work2=$(skynet-put P2 "$ITEM" 2>/dev/null)
	sleep_until() { # no wait.sh here: a plain loop with an end
		for _ in $(seq 200); do
			! "$@" || return 0
			sleep 0.05
		done
		return 1
	}
	p1=$(id -u nobody):$(id -g nobody)
	p2=$(id -u games):$(id -g games)
	sp=/var/spool/skynet
	may() { chpst -u ":$1" sh -c "$2" >/dev/null 2>&1 && echo "may: $3"; }
	must() { chpst -u ":$1" sh -c "$2" >/dev/null 2>&1 || echo "cannot: $3"; }
	# Its own side, and only that.
	must "$p1" "ls $sp/P1/open && cat $sp/P1/open/$work1" 'read its own work'
	must "$p1" "flock -n $sp/P1/open/$work1 true" 'claim'
	must "$p1" "cd $sp/P1/work/cur && ln -s ../../open/$work1 $work1,a1 && mv $work1,a1 $work1,a2 && rm $work1,a2" 'note an attempt'
	must "$(id -u nobody):$(getent group adm | cut -d: -f3)" "ls $sp/P1/open $sp/P2/open && cat $sp/P1/open/$work1" 'read as adm'
	journal=20261122T105443.865116-1.results
	must "$p1" "printf 'outcome: ' >$sp/P1/work/result/$journal && printf ok >>$sp/P1/work/result/$journal && rm $sp/P1/work/result/$journal" 'write a result'
	may "$p1" "ls $sp/P1" 'list the root of its spool' || :
	may "$p1" "ls $sp/P1/done" 'list done' || :
	may "$p1" "ls $sp/P1/failed" 'list failed' || :
	may "$p1" "echo x >>$sp/P1/open/$work1" 'write to a workitem' || :
	may "$p1" "chmod 777 $sp/P1/open/$work1" 'change modes' || :
	may "$p1" "touch $sp/P1/open/$work1" 'change times' || :
	may "$p1" "touch $sp/P1/open/x" 'create in open' || :
	may "$p1" "touch $sp/P1/open/$work1.hold" 'hold' || :
	may "$p1" "mv $sp/P1/open/$work1 $sp/P1/work/cur" 'take a workitem away' || :
	may "$p1" "rm -f $sp/P1/open/$work1" 'remove a workitem' || :
	may "$p1" "mv $sp/P1/open $sp/P1/work/cur" 'move directories' || :
	may "$p1" "mv $sp/P1/work/cur $sp/P1/work/old" 'move directories of its own' || :
	may "$p1" "touch $sp/P1/x || touch $sp/P1/work/x" 'create elsewhere' || :
	# Nobody else's.
	for verb in "ls $sp/P2/work" "ls $sp/P2/work/cur" "cat $sp/P2/open/$work2" "ls $sp/P2/open" "flock -n $sp/P2/open/$work2 true" \
		"ls $sp/P2/work/result" "touch $sp/P2/work/result/$journal" "mv $sp/P2/open/$work2 /tmp" \
		"ln $sp/P2/open/$work2 $sp/P1/work/result/l" "rm $sp/P2/open/$work2"; do
		may "$p1" "$verb" "$verb" || :
	done
	may "$p2" "cat $sp/P1/open/$work1" 'the other way round' || :
	may "$p1" 'cat /etc/skynet/password' 'read the password' || :
	may "$p2" 'cat /etc/skynet/password' 'read the password' || :
	may "$p1" "kill -0 $pids" 'signal the bridge' || :
	may "$p1" "cat /proc/$pids/environ /proc/$pids/mem" 'look into the bridge' || :
	may "$p1" 'touch /run/skynet/amqp-spool/x' 'write to the state of the bridge' || :
	may "$p1" 'cat /run/skynet/amqp-spool/outbox' 'read the outbox' || :
	[ -e "$sp/P1/open/$work1" ]
	# A file of another uid in work/result is not taken for P1's: here the bridge's own group could write it.
	chpst -u ":$p2" true
	cd /etc/skynet/sv/skynet-P1
	as=$(skynet-prepare P1)
	[ "$as" = ":$p1" ]
	chpst -u "$as" "$LIBEXEC/exo" P1 >/run/exo.txt 2>&1 &
	pids="$pids $!"
	result() { "$BROKER_LIB/answer.py" $sp/P1/done "$work1" >/run/answer; }
	sleep_until result || cat /run/bridge.txt /run/exo.txt
	jq -c '[.fields.uid, .fields.read]' /run/answer
	result() { find $sp/P1/done -name "$work1.json" | grep -q .; }
	sleep_until result
	stat -c '%U %a' "$(find $sp/P1/done -name "$work1.json")" "$(find $sp/P1/done -name '*.results')"
	# A result of root's (or anyone's) in P1's name is refused.
	kill -TERM $!
	wait $! || :
	name=$(skynet-put P1 "$ITEM" 2>/dev/null)
	"$BROKER_LIB/answer.py" --add ok "$sp/P1/work/result" "$name" "$(cat "$ITEM")"
	refused() { [ -z "$(find "$sp/P1/work/result" -user root)" ]; }
	sleep_until refused && [ -e "$sp/P1/open/$name" ] && echo refused
	grep -c 'does not belong into work/result' /run/bridge.txt
}

@test "real uids: a participant reads and writes its own side only; the password is the bridge's" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	unshare -m true || skip 'needs a mount namespace'
	ITEM=$T/item
	chmod 755 "$T"
	printf '{"fei":{"wfid":"w1","expid":"0"},"fields":{}}' >"$ITEM"
	HANDLER='import os, glob
class ParticipantHandler:
    def handle_wi_control(self, ctrl):
        pass
    def handle_lifecycle_control(self, ctrl):
        pass
    def handle_wi(self, wid):
        wid.fields.uid = [os.getuid(), os.getgid(), os.getgroups()]
        read = []
        for p in ["/etc/skynet/password", "/var/spool/skynet/P1/done", "/var/spool/skynet/P2/open", "/var/spool/skynet/P2"]:
            try:
                read.append([p, os.listdir(p) if os.path.isdir(p) else open(p).read()])
            except OSError:
                pass
        wid.fields.read = read
'
	export ITEM HANDLER LIBEXEC BROKER_LIB
	unset SKYNET_HOME
	chpst -u ":$(id -u nobody):$(id -g nobody)" test -r "$LIBEXEC/exo" -a -r "$LIBEXEC/exo-python" ||
		skip 'the build tree cannot be read by others'
	run -0 unshare -m bash -c "$(declare -f system_home); system_home" 3>&-
	echo "$output"
	u=$(id -u nobody) g=$(id -g nobody)
	[ "$output" = "[[$u,$g,[]],[]]
daemon 644
daemon 644
refused
1" ] || [ "$output" = "[[$u,$g,[$g]],[]]
daemon 644
daemon 644
refused
1" ]
}
