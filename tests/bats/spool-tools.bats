#!/usr/bin/env bats
# The spool tools with no daemon: each option, each exit code, bad input.

bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/spool.bash"
	spool_home
	spool_participant P1 </dev/null
}

# -- what all have in common

@test "every tool has --help and says no to what it does not know" {
	for tool in spool-put spool-ls spool-show spool-hold spool-release spool-retry spool-check; do
		run -0 "$tool" --help
		[[ $output == "usage: $tool "* ]]
		run -64 "$tool" --nonsense P1 x
	done
	run -64 spool-put
	run -64 spool-ls P1 P2
	run -64 spool-show
	run -64 spool-show a b c
	run -64 spool-hold P1
	run -64 spool-release P1
	run -64 spool-retry P1
	run -64 spool-retry P1 --all x
}

@test "an unknown participant is exit 4, a missing home exit 78, hostile names do no harm" {
	for name in nobody ../P1 . .. '' /etc 'P1/../P1' amqp-spool "$(printf 'a\nb')" "$(printf %0300d 0)"; do
		run -4 spool-put "$name" "$SPOOL_DATA/simple.json"
		run -4 spool-ls "$name"
		run -4 spool-show "$name" 2026
		run -4 spool-hold "$name" 2026
		run -4 spool-release "$name" 2026
		run -4 spool-retry "$name" --all
		run -4 spool-check "$name"
	done
	run -78 spool-ls --home "$BATS_TEST_TMPDIR/nowhere"
}

@test "--home wins over SKYNET_HOME" {
	put >/dev/null
	SKYNET_HOME=/nonexistent run -0 --separate-stderr spool-ls --home "$SKYNET_HOME" P1
	[ "${#lines[@]}" -eq 1 ]
}

# -- spool-put

@test "put stores the bytes exactly" {
	name=$(spool-put P1 "$SPOOL_DATA/params.json")
	cmp "$SPOOL_DATA/params.json" "$S/open/$name"
	[ "$(stat -c %h "$S/open/$name")" -eq 1 ]
	[ "$(stat -c %a "$S/open/$name")" = 644 ]
	(umask 077 && spool-put P1 "$SPOOL_DATA/params.json")
	[ -z "$(find "$S/open" -type f ! -perm 644)" ]
}

@test "put takes files, -, and stdin" {
	run -0 spool-put P1 "$SPOOL_DATA/simple.json" "$SPOOL_DATA/params.json" - <"$SPOOL_DATA/nested.json"
	[ "${#lines[@]}" -eq 3 ]
	run -0 spool-put P1 <"$SPOOL_DATA/nested.json"
	[ "$(ls "$S/open" | wc -l)" -eq 4 ]
}

@test "put refuses what is no workitem, with a reason, and stores nothing" {
	for junk in '' 'text' '[]' '{}' '{"fei":{}}' '{"fei":1,"fields":{}}' '{"fei":{},"fields":{}} x' '{"fei":{},"fields":{"x":1e400}}'; do
		printf %s "$junk" >"$BATS_TEST_TMPDIR/junk"
		run -65 spool-put P1 "$BATS_TEST_TMPDIR/junk"
		[[ $output == *"no workitem: "* ]]
	done
	run -65 spool-put P1 "$BATS_TEST_TMPDIR/missing"
	[[ $output == *"No such file"* ]]
	run -65 spool-put P1 "$BATS_TEST_TMPDIR"
	[ -z "$(ls "$S/open")" ]
}

@test "put goes on after a bad file and ends with 1" {
	run -1 --separate-stderr spool-put P1 "$SPOOL_DATA/simple.json" /dev/null "$SPOOL_DATA/params.json"
	[ "${#lines[@]}" -eq 2 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "put keeps to max_size" {
	printf '[participant]\nmax_size = 400\n' >"$SKYNET_HOME/etc/P1.conf"
	run -65 spool-put P1 "$SPOOL_DATA/simple.json"
	[[ $output == *max_size* ]]
	run -65 spool-put P1 <"$SPOOL_DATA/simple.json"
	printf '[participant]\nmax_size = %s\n' "$(stat -c %s "$SPOOL_DATA/simple.json")" >"$SKYNET_HOME/etc/P1.conf"
	run -0 spool-put P1 "$SPOOL_DATA/simple.json"
}

@test "names sort by arrival also when the clock was set back" {
	first=$(SKYNET_CLOCK_OFFSET_S=86400 put)
	second=$(put)
	[[ $second > $first ]]
}

@test "put as root gives the files to the owner of the spool" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	chmod 755 "$BATS_TEST_TMPDIR" "$SKYNET_HOME"
	chown -R 12345:12345 "$S"
	chmod 750 "$BATS_TEST_TMPDIR" # the file is root's alone to read
	name=$(put)
	[ "$(stat -c %u "$S/open/$name")" = 12345 ]
	spool-hold P1 "$name"
	[ "$(stat -c %u "$S/open/$name.hold")" = 12345 ]
	spool-release P1 "$name"
	spool_finish P1 "$name" failed crash '{}'
	chown -R 12345:12345 "$S"
	spool-retry P1 "$name"
	[ -z "$(find "$S" ! -uid 12345)" ]
}

@test "no room is exit 75" {
	SKYNET_FAIL=deliver.2:enospc run -75 spool-put P1 "$SPOOL_DATA/simple.json"
	[ -z "$(ls "$S/open")" ]
}

# -- spool-ls

@test "ls shows every state" {
	new=$(put '{"n":1}' wf-new)
	cur=$(put '{"n":2}' wf-cur)
	res=$(put '{"n":3}' wf-res)
	again=$(put '{"n":4}' wf-again)
	held=$(put '{"n":5}' wf-held)
	failed=$(put '{"n":6}' wf-failed)
	done=$(put '{"n":7}' wf-done)
	spool_claim P1 "$cur"
	spool_result P1 "$res" ok '{}'
	spool_claim P1 "$again"
	spool_note P1 "$again" 3
	spool-hold P1 "$held"
	spool_finish P1 "$failed" failed crash '{}'
	spool_finish P1 "$done" done ok '{}'
	run -0 spool-ls P1
	[ "${#lines[@]}" -eq 5 ]
	for state in new held; do
		run -0 spool-ls P1 --state "$state"
		[ "${#lines[@]}" -eq 1 ]
		[[ ${lines[0]} == "$state "*" ${!state} "*"  - wf-$state 0_1 "* ]]
	done
	run -0 spool-ls P1 --state cur
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} == "cur    $cur "*"  1 wf-cur 0_1 "* ]]
	[[ ${lines[1]} == "cur    $again "*"  3 wf-again 0_1 "* ]]
	run -0 spool-ls P1 --state result
	[[ ${lines[0]} == "result $res "*"  2 wf-res 0_1 "* ]]
	spool_drop "$again" # its worker died: it waits for the third attempt
	run -0 spool-ls P1 --state new
	[[ ${lines[1]} == "new    $again "*"  3 wf-again 0_1 "* ]]
	run -0 spool-ls P1 -s failed,done
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == "done   $done "*" 2 wf-done 0_1 "* ]]
	run -0 spool-ls --state all
	[ "${#lines[@]}" -eq 7 ]
	[[ ${lines[6]} == "P1 done   $done "* ]]
	run -64 spool-ls --state open
	run -64 spool-ls --state nonsense
	run -64 spool-ls --state ''
}

@test "ls -n shows the newest, last" {
	for i in 1 2 3 4 5; do last=$(put "{\"i\":$i}"); done
	run -0 spool-ls -n 2 P1
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == *"$last"* ]]
	run -0 spool-ls -n 0
	[ -z "$output" ]
	run -64 spool-ls -n x
	run -64 spool-ls -n -1
}

@test "ls --json is JSON, one object per line, with the size in bytes" {
	name=$(spool-put P1 "$SPOOL_DATA/simple.json")
	run -0 spool-ls --json
	[ "$(jq -r '[.participant,.state,.name,.size,.outcome]|@tsv' <<<"$output")" = "$(printf 'P1\tnew\t%s\t%s\t' "$name" "$(stat -c %s "$SPOOL_DATA/simple.json")")" ]
}

@test "ls is not fooled by what is planted, nor by control characters in a WFID" {
	put '{}' '\u001b[31mred\u0009x' >/dev/null
	touch "$S/open/junk" "$S/open/.hidden" "$S/open/a b"
	mkdir "$S/work/cur/x"
	run -0 spool-ls P1
	[ "${#lines[@]}" -eq 1 ]
	[[ $output != *$'\033'* && $output != *$'\t'* ]]
}

# -- spool-show, and naming items

@test "an item is named by its name, a prefix, or its WFID" {
	a=$(put '{"a":1}' 20261122-1052-aaa)
	b=$(put '{"b":1}' 20261122-1052-bbb)
	for text in "$a" "${a:0:40}" 20261122-1052-aaa; do
		run -0 spool-show P1 "$text"
		[[ $output == *"name: $a"* ]]
		run -0 spool-show "$text"
	done
	run -65 spool-show P1 2026
	[[ $output == *"means 2 workitems"*"$a"*"$b"* ]]
	for text in 20261122-1052-aa 20261122-1052-AAA nothing '' ../x "$a,a1" "$a.json" '*'; do
		run -4 spool-show P1 "$text"
	done
}

@test "a long or odd WFID is compared whole, not by its label" {
	long=$(printf 'w%.0s' {1..60})
	a=$(put '{}' "${long}a")
	put '{}' "${long}b" >/dev/null
	run -0 spool-show P1 "${long}a"
	[[ $output == *"name: $a"* ]]
	put '{}' 'x/y' >/dev/null
	run -0 spool-show 'x/y'
	run -4 spool-show 'x_y'
}

@test "show prints the bytes exactly" {
	name=$(spool-put P1 "$SPOOL_DATA/params.json")
	spool-show P1 "$name" --body | cmp - "$SPOOL_DATA/params.json"
	run -4 spool-show P1 "$name" --result
	run -4 spool-show P1 "$name" --log
	spool_finish P1 "$name" failed crash '{"a":"ä"}'
	echo because >"$S/failed/$(spool_bucket "$name")/$name.log"
	spool-show P1 "$name" --body | cmp - "$SPOOL_DATA/params.json"
	spool-show P1 "$name" --result | cmp - "$S/failed/$(spool_bucket "$name")/$name.result"
	[ "$(spool-show P1 "$name" --reply)" = '{"a":"ä"}' ]
	[ "$(spool-show P1 "$name" --log)" = because ]
	run -64 spool-show P1 "$name" --log --body
}

@test "show tells the header of the result, as text and as JSON" {
	name=$(put)
	spool_finish P1 "$name" done ok '{}'
	run -0 spool-show "$name"
	[[ $output == *"state: done"* && $output == *"outcome: ok"* && $output == *"attempt: 2"* && $output == *"length: 2"* ]]
	[[ $output == *"path: $S/done/$(spool_bucket "$name")/$name.json"* ]]
	run -0 spool-show "$name" --json
	[ "$(jq -r '.state+.outcome+.finished' <<<"$output")" = done""ok2026-11-22T10:54:44.115116Z ]
	sed -i 's/^{}$/{ /' "$S/done/$(spool_bucket "$name")/$SPOOL_JOURNAL"
	run -0 spool-show "$name"
	[[ $output == *"result: damaged"* ]]
	cmp <(spool-show "$name" --result; echo) "$S/done/$(spool_bucket "$name")/$SPOOL_JOURNAL"
	run -1 spool-show "$name" --reply
	echo junk >"$S/done/$(spool_bucket "$name")/$SPOOL_JOURNAL"
	run -0 spool-show "$name"
	[[ $output != *outcome:* && $output != *damaged* ]]
	run -4 spool-show "$name" --reply
}

@test "show finds an answer among others, and says where it stands" {
	a=$(put '{"n":1}' wf-a) b=$(put '{"n":2}' wf-b) c=$(put '{"n":3}' wf-c)
	spool_finish P1 "$a" done ok '{"fields":{"r":1}}'
	spool_finish P1 "$b" done error "{\"workitem: $c\":\"ä\"}"
	spool_finish P1 "$c" done ok '{"fields":{"r":3}}'
	[ "$(spool-show "$a" --reply)$(spool-show "$c" --reply)" = '{"fields":{"r":1}}{"fields":{"r":3}}' ]
	[ "$(spool-show "$b" --reply)" = "{\"workitem: $c\":\"ä\"}" ]
	run -0 spool-show "$b" --json
	journal=$S/done/$(spool_bucket "$b")/$SPOOL_JOURNAL
	[ "$(jq -r .answer <<<"$output")" = "$journal" ]
	cmp <(spool-show "$b" --result) <(tail -c "+$(($(jq -r '."answer-at"' <<<"$output") + 1))" "$journal" |
		head -c "$(spool-show "$b" --result | wc -c)")
	run -0 skynet-show wf-b
	[[ $output =~ answer\ +"$journal"\ \ \(([0-9]+)\ bytes\ from\ byte\ ([0-9]+)\ on\) ]]
	cmp <(spool-show "$b" --result) <(tail -c "+${BASH_REMATCH[2]}" "$journal" | head -c "${BASH_REMATCH[1]}")
	[[ $output == *"\"ä\""* ]]
	# With plain tools, as skynet-spool-format(5) says.
	for name in "$a" "$b" "$c"; do
		[ "$(grep -al "^workitem: $name\$" "$S"/done/*/*/*.results)" = "$journal" ]
		[ "$(sed -n "/^workitem: $name\$/,\$p" "$journal" | sed '1,/^$/d; /^outcome: /Q')" = "$(spool-show "$name" --reply)" ]
	done
	# On its way out, and one that was not answered.
	d=$(put '{"n":4}' wf-d)
	spool_result P1 "$d" ok '{"r":4}'
	run -0 spool-show wf-d
	[[ $output == *"state: result"*"answer: $S/work/result/$SPOOL_JOURNAL"* ]]
	rm "$journal"
	run -0 skynet-show wf-a
	[[ $output == *"outcome      none"* && $output != *"answer "* ]]
}

@test "show: of two answers the first whole one counts, and what is cut short is none" {
	name=$(put)
	spool_finish P1 "$name" done ok '{"r":1}'
	dir=$S/done/$(spool_bucket "$name")
	spool_record "$name" ok '{"r":1}' | head -c -3 >"$dir/20261122T105442.000000-1.results" # killed in retire.1
	[ "$(spool-show "$name" --reply)" = '{"r":1}' ]
	[ "$(spool-ls --state done --json | jq -r .outcome)" = ok ]
	rm "$dir/$SPOOL_JOURNAL"
	run -4 spool-show "$name" --reply
	[ "$(spool-ls --state done --json | jq -r .outcome)" = null ]
}

@test "show of a result that is planted neither blocks nor follows" {
	name=$(put)
	spool_claim P1 "$name"
	journal=$S/work/result/$SPOOL_JOURNAL
	mkfifo "$journal"
	run -0 timeout 5 spool-show "$name"
	[[ $output == *"state: cur"* && $output != *outcome* ]]
	run -0 timeout 5 spool-ls --state cur
	[[ $output == *"$name"* ]]
	rm "$journal"
	spool_record "$name" ok root: >"$BATS_TEST_TMPDIR/secret"
	ln -s "$BATS_TEST_TMPDIR/secret" "$journal"
	run -4 timeout 5 spool-show "$name" --result
	[[ $output != *root:* ]]
	rm "$journal"
	mv "$BATS_TEST_TMPDIR/secret" "$journal" # it is the file that was not followed
	[ "$(spool-show "$name" --reply)" = root: ]
	mkdir "$S/work/result/20261122T105443.865116-1.results"
	truncate -s 1T "$S/work/result/20261122T105443.865116-2.results"
	[ "$(timeout 5 spool-show "$name" --reply)" = root: ]
}

# -- spool-hold, spool-release

# worker_may NAME: could a worker begin it now?
worker_may() { [ ! -e "$S/open/$1.hold" ] && flock -n "$S/open/$1" true; }

@test "hold keeps a workitem from being begun, release lets it go" {
	name=$(put)
	worker_may "$name"
	run -0 spool-hold P1 "$name"
	[ "$S/open/$name" -ef "$S/open/$name.hold" ]
	flock -n "$S/open/$name" true # the lock was for that moment
	run -0 spool-hold P1 "$name"
	[[ $output == *"was held already"* ]]
	run -0 spool-release P1 "$name"
	worker_may "$name"
	[ "$(ls "$S/open")" = "$name" ]
	run -0 spool-release P1 "$name"
	[[ $output == *"was not held"* ]]
}

@test "what is being worked on, answered or finished cannot be held" {
	cur=$(put '{"n":1}')
	res=$(put '{"n":2}')
	fin=$(put '{"n":3}')
	spool_claim P1 "$cur"
	spool_result P1 "$res" ok '{}'
	spool_finish P1 "$fin" done ok '{}'
	run -75 spool-hold P1 "$cur"
	[[ $output == *"being worked on"* ]]
	run -75 spool-hold P1 "$res"
	run -65 spool-hold P1 "$fin"
	run -4 spool-hold P1 nothing
	run -1 spool-hold P1 "$cur" "$(put '{"n":4}')"
	[ "$(ls "$S"/open/*.hold | wc -l)" -eq 1 ]
	spool_drop "$cur"
	spool_note P1 "$cur" 2 # its worker died: before the second attempt it can be held
	run -0 spool-hold P1 "$cur"
}

# -- spool-retry

@test "retry hands the same bytes in again under a new name, and leaves a note" {
	name=$(spool-put P1 "$SPOOL_DATA/params.json")
	run -65 spool-retry P1 "$name"
	spool_finish P1 "$name" failed crash '{}'
	run -0 spool-retry P1 "$name"
	new=$output
	[ "$new" != "$name" ]
	cmp "$SPOOL_DATA/params.json" "$S/open/$new"
	bucket=$S/failed/$(spool_bucket "$name")
	grep -q " as $new\$" "$bucket/$name.retried"
	[ -e "$bucket/$name.json" ]
	[ -e "$bucket/$name.result" ]
	run -75 spool-retry P1 "$name"
	[[ $output == *"the same workitem is open, as $new"* ]]
	spool_finish P1 "$new" failed crash '{}'
	run -0 spool-retry P1 "$name"
	[ "$(wc -l <"$bucket/$name.retried")" -eq 2 ]
}

@test "retry --all takes each failed one once" {
	for i in 1 2 3; do
		name=$(put "{\"i\":$i}")
		spool_finish P1 "$name" failed crash '{}'
	done
	run -0 spool-retry P1 --all
	[ "${#lines[@]}" -eq 3 ]
	run -0 spool-retry P1 --all
	[ -z "$output" ]
}

@test "retry refuses junk, and what is finished unless --done" {
	name=$(put)
	spool_finish P1 "$name" done ok '{}'
	run -65 spool-retry P1 "$name"
	run -0 spool-retry P1 --done "$name"
	junk=$(put '{"x":2}')
	spool_finish P1 "$junk" failed error '{}'
	echo junk >"$S/failed/$(spool_bucket "$junk")/$junk.json"
	run -65 spool-retry P1 "$junk"
	[[ $output == *"no workitem: not JSON"* ]]
	run -4 spool-retry P1 nothing
}

# -- spool-check

# found CODE [ARGS]: check finds exactly this, and exits 1.
found()
{
	code=$1
	shift
	run -1 spool-check "$@"
	[ "$(grep -c -v 'findings,' <<<"$output")" -eq 1 ] || { echo "$output"; return 1; }
	[[ $output == "$code "* ]] || { echo "$output"; return 1; }
}

# repaired CODE: --repair mends it, and then it is clean.
repaired()
{
	found "$1"
	[[ $output == *"--repair: "*"(possible now)"* ]]
	run -0 spool-check --repair
	[[ $output == *"repaired: "* ]]
	run -0 spool-check --deep
	[ "$output" = "0 findings, 0 repaired" ]
}

@test "check: a clean spool in every state" {
	spool_participant P2 </dev/null
	put '{"n":1}' >/dev/null
	cur=$(put '{"n":2}')
	res=$(put '{"n":3}')
	held=$(put '{"n":5}')
	failed=$(put '{"n":6}')
	done=$(put '{"n":7}')
	spool_participant P1 </dev/null
	for p in P2; do
		S=$SKYNET_HOME/spool/$p
	done
	S=$SKYNET_HOME/spool/P1
	spool_claim P1 "$cur"
	spool_note P1 "$cur" 1
	spool_result P1 "$res" ok '{}'
	spool_note P1 "$res" 2
	spool-hold P1 "$held"
	spool_note P1 "$held" 2
	spool_finish P1 "$failed" failed crash '{}'
	spool_finish P1 "$done" done ok '{}'
	spool-retry P1 "$failed"
	run -0 spool-check --deep
	[ "$output" = "0 findings, 0 repaired" ]
	run -0 spool-check P1 P2
	run -0 spool-check --json
	[ -z "$output" ]
}

@test "check: layout" {
	rmdir "$S/work/cur"
	repaired layout-missing
	chmod 777 "$S/open"
	repaired layout-mode
	rmdir "$S/work/result"
	touch "$S/work/result"
	found layout-kind
	run -1 spool-check --repair
	[[ $output == *"a person must decide"* ]]
}

@test "check: foreign files everywhere" {
	touch "$S/open/x" "$S/work/cur/x" "$S/work/result/x" "$S/done/x" "$S/failed/20261122"
	mkdir -p "$S/done/20261122/1054" "$S/failed/20261121/1054" "$S/work/result/bad." "$S/work/result/bad.x"
	touch "$S/done/20261122/1054/x.json" "$S/failed/20261121/1054/$SPOOL_JOURNAL"
	touch "$S/done/20261122/1054/20261122T105400.000000-0000-9f86d081884c7d65-w.result" "$S/work/result/2$SPOOL_JOURNAL"
	run -1 spool-check --repair
	[ "$(grep -c '^foreign ' <<<"$output")" -eq 11 ]
	[[ $output == *"11 findings, 0 repaired"* ]]
	rm -r "$S"/{open,work/cur,work/result,done,failed}/*
	touch "$S/work/result/exo.probe" "$S/work/result/$SPOOL_JOURNAL"
	mkdir "$S/work/result/bad.17"
	run -0 spool-check --deep
}

@test "check: paths with control characters are printed safely" {
	touch "$S/open/"$'a\nb\033[31m'
	run -1 spool-check
	[[ $output == *'a\x0ab\x1b[31m'* ]]
	run -1 spool-check --json
	[ "$(jq -r .code <<<"$output")" = foreign ]
}

@test "check: the ledger" {
	name=$(put)
	truncate -s 0 "$S/open/$name"
	repaired open-short
	[ -z "$(ls "$S/open")" ]

	name=$(put)
	truncate -s 10 "$S/open/$name"
	repaired open-damaged
	[ -z "$(ls "$S/open")" ]
	[ -e "$S/failed/$(spool_bucket "$name")/$name.json" ]
	grep -q damaged "$S/failed/$(spool_bucket "$name")/$name.log"

	name=$(put '{"n":2}')
	chmod 600 "$S/open/$name"
	repaired file-mode

	mkdir -p "$S/done/$(spool_bucket "$name")"
	cp "$S/open/$name" "$S/done/$(spool_bucket "$name")/$name.json"
	found open-finished
	rm "$S/done/$(spool_bucket "$name")/$name.json" "$S/open/$name"
	mkdir "$S/open/$name"
	found open-kind
}

@test "check: owners" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	name=$(put)
	chown 12345 "$S/open/$name"
	repaired file-owner
}

@test "check: markers" {
	name=$(put)
	spool-hold P1 "$name"
	run -0 spool-check
	rm "$S/open/$name.hold"
	touch "$S/open/$name.hold" # of an older version, or by hand
	repaired hold-other
	[ "$S/open/$name" -ef "$S/open/$name.hold" ]
	rm "$S/open/$name.hold"
	touch "$S/open/$name.hold"
	spool_claim P1 "$name"
	run -1 spool-check --repair
	[[ $output == "hold-other "*"not repaired: "*"1 findings"* ]]
	spool_drop
	rm "$S/open/$name"
	repaired hold-stale
	name=$(put)
	touch "$S/open/$name.again"
	repaired again-stale
	[ "$(ls "$S/open")" = "$name" ]
	touch "$S/open/x.hold" "$S/open/$name,a1.again"
	run -1 spool-check
	[ "$(grep -c '^foreign ' <<<"$output")" -eq 2 ]
}

@test "check: notes in cur/" {
	name=$(put)
	spool_note P1 "$name" 2
	ln "$S/open/$name" "$S/work/cur/$name,a1" # of an older version
	repaired cur-twice
	[ "$(ls "$S/work/cur")" = "$name,a2" ]
	for plant in mkdir mkfifo; do
		"$plant" "$S/work/cur/$name,a1"
		found foreign
		rm -r "$S/work/cur/$name,a1"
	done
	rm "$S/open/$name"
	repaired cur-leftover
	touch "$S/work/cur/$name,a3" # neither open nor finished, and no link
	repaired cur-leftover
	[ -z "$(ls "$S/work/cur")" ]
}

@test "check: work/new of an older version is removed, but not what has no other name" {
	name=$(put) fin=$(put '{"n":2}')
	mkdir "$S/work/new"
	ln "$S/open/$name" "$S/work/new/$name"
	ln "$S/open/$fin" "$S/work/new/$fin"
	spool_finish P1 "$fin" done ok '{}'
	repaired foreign
	[ ! -e "$S/work/new" ]
	[ -e "$S/open/$name" ]
	mkdir "$S/work/new"
	ln "$S/open/$name" "$S/work/new/$name"
	echo precious >"$S/work/new/x"
	run -1 spool-check --repair
	[[ $output == "foreign $S/work/new: "*"not repaired: cannot remove them: Directory not empty"* ]]
	[ "$(ls "$S/work/new")" = x ]
}

@test "check: leftovers of retiring" {
	name=$(put)
	dir=$S/done/$(spool_bucket "$name")
	spool_note P1 "$name" 1
	spool_result P1 "$name" ok '{"r":1}'
	mkdir -p "$dir"
	spool_record "$name" ok '{"r":1}' >"$dir/$SPOOL_JOURNAL" # killed before retire.2
	run -0 spool-check --deep
	mv "$S/open/$name" "$dir/$name.json" # exo ended before claim.5
	run -0 flock "$SKYNET_HOME/run/P1/lock" spool-check # while it runs that is its own to do
	repaired cur-leftover
	[ "$(spool-show "$name" --reply)" = '{"r":1}' ]
	[ -e "$S/work/result/$SPOOL_JOURNAL" ] # before retire.4: no finding, and not our business
}

@test "check: what was answered and is not kept" {
	name=$(put) other=$(put '{"n":2}')
	dir=$S/done/$(spool_bucket "$name")
	spool_finish P1 "$other" done ok '{"other":1}' # in that bucket, most likely, there are others
	spool_note P1 "$name" 1
	spool_result P1 "$name" ok '{"r":1}'
	mkdir -p "$dir"
	mv "$S/open/$name" "$dir/$name.json" # the power was cut after retire.2
	run -1 spool-check
	[[ $output == *"cur-leftover "*"result-leftover $S/work/result/$SPOOL_JOURNAL: $name: "*"2 findings"* ]]
	run -0 spool-check --repair
	run -0 spool-check --deep
	rm "$S/work/result/$SPOOL_JOURNAL"
	[ "$(spool-show "$name" --reply)" = '{"r":1}' ]
	[ "$(spool-show "$other" --reply)" = '{"other":1}' ]
	name=$(put '{"n":3}') # the same on the way into failed/
	spool_result P1 "$name" crash '{"r":2}'
	mkdir -p "$S/failed/$(spool_bucket "$name")"
	mv "$S/open/$name" "$S/failed/$(spool_bucket "$name")/$name.json"
	repaired result-leftover
	[ "$(spool-show "$name" --reply)" = '{"r":2}' ]
}

@test "a message that was sent on the way is no answer" {
	name=$(put)
	spool_claim P1 "$name"
	spool_record "$name" ok '{"message":1}' | sed 's/^send: .*/send: message/; s/^workitem: .*/&\nmessage: 1/' >"$S/work/result/$SPOOL_JOURNAL"
	[ "$("$BATS_TEST_DIRNAME/../lib/answer.py" --message 1 "$S/work/result" "$name")" = '{"message":1}' ]
	run -0 spool-check
	run -4 spool-show "$name" --reply
	[ "$(spool-ls --json | jq -r .state)" = cur ]
	spool_drop "$name"
	[ "$(spool-ls --json | jq -r .state)" = new ]
	spool_finish P1 "$name" done ok '{}'
	run -0 spool-check --deep
}

@test "check: results" {
	name=$(put) gone=$(put '{"n":2}')
	journal=$S/work/result/$SPOOL_JOURNAL
	spool_result P1 "$name" ok '{"r":1}'
	size=$(stat -c %s "$journal")
	for cut in 1 2 9 30 200 "$((size - 1))"; do # by a crash, or it is being written
		spool_record "$name" ok '{"r":1}' | head -c "$cut" >>"$journal"
		run -0 spool-check --deep
		truncate -s "$size" "$journal"
	done
	echo junk >>"$journal" # is the beginning of no header
	found result-bad
	truncate -s "$size" "$journal"
	sed -i 's/{"r":1}/{"r":2}/' "$journal"
	found result-bad
	[[ $output == *"$SPOOL_JOURNAL: $name: no result"* ]]
	run -1 spool-check --json
	[ "$(jq -r '.code+" "+.name' <<<"$output")" = "result-bad $name" ]
	sed -i 's/{"r":2}/{"r":1}/' "$journal"
	spool_result P1 "$gone" ok '{}'
	rm "$S/open/$gone"
	found result-orphan
	[[ $output == *"$gone"* ]]
	mkdir -p "$S/failed/$(spool_bucket "$gone")" # the bridge puts it there
	spool_record "$gone" ok '{}' | head -c -1 >"$S/failed/$(spool_bucket "$gone")/$gone.result"
	echo why >"$S/failed/$(spool_bucket "$gone")/$gone.log"
	run -0 spool-check --deep
	for plant in 'mkfifo "$journal"' 'ln -s /etc/passwd "$journal"' 'mkdir "$journal"' 'touch "$S/x"; ln "$S/x" "$journal"'; do
		rm -rf "$journal"
		eval "$plant"
		found result-bad
	done
}

@test "check: what is finished" {
	name=$(put)
	spool_finish P1 "$name" done ok '{"r":1}'
	dir=$S/done/$(spool_bucket "$name")
	mkdir -p "$S/done/20200101/0000"
	cp "$dir/$name.json" "$S/done/20200101/0000/"
	found done-bucket
	rm "$S/done/20200101/0000/$name.json"
	cp "$dir/$SPOOL_JOURNAL" "$S/done/20200101/0000/"
	run -0 spool-check
	found done-bucket --deep
	rm -r "$S/done/20200101"
	spool_record "$name" ok '{"r":1}' >"$dir/20261122T105443.865116-1.results" # kept twice
	spool_record "$name" ok '{"r":1}' | head -c 100 >"$dir/20261122T105443.865116-2.results" # and cut short
	run -0 spool-check --deep
	sed -i 's/{"r":1}/{"r":2}/' "$dir/$SPOOL_JOURNAL"
	run -0 spool-check
	found done-result --deep
	[[ $output == *"$SPOOL_JOURNAL: $name: "* ]]
	sed -i 's/{"r":2}/{"r":1}/' "$dir/$SPOOL_JOURNAL"
	printf 'x\n' >>"$dir/$SPOOL_JOURNAL"
	found done-result --deep
	mkdir "$dir/20261122T105443.865116-3.results"
	found done-result
	rmdir "$dir/20261122T105443.865116-3.results"
	printf x >>"$dir/$name.json"
	run -1 spool-check --deep
	[[ $output == *"done-damaged "* ]]
	rm "$dir/$name.json"
	truncate -s -2 "$dir/$SPOOL_JOURNAL"
	rm "$dir/20261122T105443.865116-1.results"
	found done-alone --deep
	[[ $output == *"$SPOOL_JOURNAL: $name: "* ]]
	echo '{}' >"$dir/$name.json"
	rm "$dir/"*.results # a crash of the machine takes it: nothing is to be done, the reply is out
	run -0 spool-check
}

@test "check: what else lies beside the finished ones" {
	name=$(put)
	dir=$(spool_bucket "$name")
	mkdir -p "$S/done/$dir" "$S/failed/$dir"
	echo '{}' >"$S/done/$dir/$name.m0001" # sent on the way, the workitem is open still
	echo junk >"$S/failed/$dir/$name.rejected"
	run -0 spool-check --deep
	spool_finish P1 "$name" failed invalid '{}'
	run -0 spool-check --deep
	rm "$S/done/$dir/$name.m0001" "$S/failed/$dir/$name".*
	cp "$SPOOL_DATA/cancelitem.json" "$S/done/$dir/$name.cancel"
	run -0 spool-check --deep
	echo '{}' >"$S/done/$dir/$name.m0001"
	found done-alone
	mv "$S/done/$dir/$name.m0001" "$S/failed/$dir/$name.rejected"
	found done-alone
	mv "$S/failed/$dir/$name.rejected" "$S/failed/$dir/$name.other"
	found foreign
}

@test "check --repair waits for a stopped bridge where it must" {
	name=$(put)
	truncate -s 10 "$S/open/$name"
	mkdir -p "$SKYNET_HOME/run/amqp-spool"
	flock "$SKYNET_HOME/run/amqp-spool/lock" sh -c '
		spool-check --repair >"$BATS_TEST_TMPDIR/out"; echo $? >>"$BATS_TEST_TMPDIR/out"'
	grep -q '^open-damaged .*not repaired: needs a stopped bridge' "$BATS_TEST_TMPDIR/out"
	[ "$(tail -n1 "$BATS_TEST_TMPDIR/out")" = 1 ]
	[ -e "$S/open/$name" ]
	run -0 spool-check --repair
	[ ! -e "$S/open/$name" ]
}

@test "check --repair leaves a running participant's files alone" {
	name=$(put)
	spool_note P1 "$name" 1
	spool_note P1 "$name" 2
	flock "$SKYNET_HOME/run/P1/lock" sh -c 'spool-check --repair >"$BATS_TEST_TMPDIR/out" || :'
	grep -q '^cur-twice .*needs a stopped participant' "$BATS_TEST_TMPDIR/out"
	[ -L "$S/work/cur/$name,a1" ]
}

# -- size

@test "10,000 workitems" {
	mkdir "$BATS_TEST_TMPDIR/many"
	for ((i = 0; i < 10000; i++)); do
		printf '{"fields":{"i":%d},"fei":{"wfid":"w%d","expid":"0"}}' "$i" "$i" >"$BATS_TEST_TMPDIR/many/$i"
	done
	(cd "$BATS_TEST_TMPDIR/many" && timeout 60 spool-put P1 *) >"$BATS_TEST_TMPDIR/names"
	[ "$(sort -u "$BATS_TEST_TMPDIR/names" | wc -l)" -eq 10000 ]
	[ "$(ls "$S/open" | wc -l)" -eq 10000 ]
	timeout 20 spool-ls P1 >"$BATS_TEST_TMPDIR/ls"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ls")" -eq 10000 ]
	run -0 timeout 20 spool-show P1 w9999
	run -0 timeout 20 spool-check --deep
	spool-ls P1 | head -n1 >/dev/null
}

@test "20,000 finished in one bucket: its journals are read once for a list" {
	"$BATS_TEST_DIRNAME/../lib/answer.py" --bucket 20000 "$S/done"
	timeout 20 spool-ls P1 --state done --json >"$BATS_TEST_TMPDIR/ls"
	[ "$(jq -r '.outcome+(.attempt|tostring)' <"$BATS_TEST_TMPDIR/ls" | sort | uniq -c | tr -s ' ')" = " 20000 ok2" ]
	last=$(tail -n 1 "$BATS_TEST_TMPDIR/ls" | jq -r .name)
	[ "$(timeout 10 spool-show P1 "$last" --reply | jq .fields.i)" -eq 19999 ]
	[ "$(timeout 10 spool-ls P1 --state done -n 1 | wc -l)" -eq 1 ]
	run -0 timeout 60 spool-check --deep
	# All of it answered but not retired: reconcile is a matter of the bridge's; the check reads the bucket once.
	mv "$S"/done/*/*/*.results "$S/work/result/"
	run -1 timeout 60 spool-check
	[ "$(grep -c '^result-leftover ' <<<"$output")" -eq 20000 ]
	rm -r "$S"/done/*
	run -1 timeout 60 spool-check
	[ "$(grep -c '^result-orphan ' <<<"$output")" -eq 20000 ]
}
