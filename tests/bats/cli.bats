#!/usr/bin/env bats
# The command line as far as no service runs: help, usage, init, install, list, configuration, log.
# shellcheck disable=SC1010,SC1091,SC2016,SC2030,SC2031,SC2154 # what bats sets, and its subshells
bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/cli.bash"
	cli_setup
	H=$BATS_TEST_TMPDIR/home
	echo 'class ParticipantHandler: pass' >"$CODE/p1.py"
}

teardown()
{
	kill_pids
}

# A home, selected, with P1.
make_home()
{
	skynet local init "$H"
	export SKYNET_HOME=$H
}

make_p1()
{
	make_home
	skynet install "$@" "$CODE/p1.py"
}

# --- help and usage ---

@test "skynet help names every verb with what it does" {
	run -0 skynet help
	for verb in cancel config disable enable help install launch list local log manual query register reload restart stacks start status stop \
		uninstall unregister version wait; do
		[[ $output =~ "  $verb "+[A-Z] ]]
	done
	[[ $output != *prepare* ]]
	[[ $output != *mkspool* ]]
}

@test "every verb has --help, on stdout, and so has skynet help VERB" {
	for file in "$SKYNET_LIBEXEC"/skynet-*; do
		verb=${file##*/skynet-}
		case $verb in prepare | mkspool) continue ;; esac
		run -0 --separate-stderr skynet "$verb" --help
		has usage:
		[ -z "$stderr" ]
		help=$output
		run -0 skynet help "$verb"
		[ "$output" = "$help" ]
	done
}

@test "-h is --help, of every verb and every program" {
	for file in "$SKYNET_LIBEXEC"/skynet-* "$SKYNET_LIBEXEC"/spool-* "$SKYNET_LIBEXEC"/exo* "$SKYNET_LIBEXEC"/amqp-*; do
		run -0 --separate-stderr "$file" --help
		[ -n "$output" ] && [ -z "$stderr" ]
		help=$output
		run -0 "$file" -h
		[ "$output" = "$help" ]
	done
}

@test "the daemons know their version" {
	for name in exo exo-python exo-exec exo-so amqp-spool; do
		run -0 "$SKYNET_LIBEXEC/$name" --version
		[[ $output =~ ^$name\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	done
}

@test "an unknown verb: the closest ones, exit 64" {
	run -64 --separate-stderr skynet statsu
	[ -z "$output" ]
	[[ $stderr == *"'statsu' is no verb, did you mean: status?"* ]]
	run -64 skynet st
	has 'start, status, stop'
	run -64 skynet xyzzyplugh
	[[ $output != *mean* ]]
	run -64 skynet prepare
	run -64 skynet ../../bin/sh
	run -64 skynet help nope
}

@test "no verb, or a wrong option: usage on stderr, exit 64" {
	run -64 --separate-stderr skynet
	[ -z "$output" ]
	[[ $stderr == usage:* ]]
	run -64 skynet --nope
	run -64 skynet --home
}

@test "--home of nothing is a mistake, not the system's home" {
	make_home
	run -64 skynet --home '' status
	has '--home needs a directory'
	run -64 skynet --home= status
	for verb in status list config 'spool ls' 'local status' 'start --all'; do
		run -64 skynet $verb --home ''
		has '--home needs a directory'
		run -64 skynet $verb --home=
		has '--home needs a directory'
	done
}

@test "wrong options of every verb: exit 64 and where help is" {
	make_home
	for file in "$SKYNET_LIBEXEC"/skynet-*; do
		verb=${file##*/skynet-}
		case $verb in help | prepare | mkspool) continue ;; esac
		run -64 skynet "$verb" --no-such-option
		has --help
		has "skynet $verb: "
	done
	run -64 skynet status -x
	[ "${lines[0]}" = 'skynet status: -x: no such option' ]
	run -64 skynet log -n
	[ "${lines[0]}" = 'skynet log: -n: a value is needed' ]
	run -64 skynet log --since
	[ "${lines[0]}" = 'skynet log: --since: a value is needed' ]
	run -64 skynet list --json=x
	[ "${lines[0]}" = 'skynet list: --json=x: it takes no value' ]
}

# complete WORD…: what is offered for the last one.
complete_line()
{
	. "$ROOT/packaging/completion/skynet.bash"
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_skynet "$1"
	printf '%s\n' "${COMPREPLY[@]}" | sort -u
}

@test "completion: verbs, options, participants, workitems" {
	make_p1
	echo '{"fields":{},"fei":{"wfid":"w"}}' | skynet put p1
	item=$(ls "$H/spool/p1/open")
	run -0 complete_line skynet ''
	for verb in cancel launch query register stacks unregister; do
		[[ $'\n'$output$'\n' == *$'\n'$verb$'\n'* ]]
	done
	[ "$(complete_line skynet query p)" = p1 ]
	[ "$(complete_line skynet stacks 2)" = "$item" ]
	[ "$(complete_line skynet cancel 2)" = "$item" ]
	[ "$(complete_line skynet cancel "$item" '')" = p1 ]
	[ "$(complete_line skynet cancel --k)" = --kill ]
	[ "$(complete_line skynet unregister p)" = p1 ]
	[ "$(complete_line skynet --home "$H" register --re)" = --regexp ]
	[ "$(complete_line skynet spool hold p1 2)" = "$item" ]
	[ "$(complete_line spool-hold p)" = p1 ]
	[ "$(complete_line spool-hold p1 2)" = "$item" ]
	[ "$(complete_line spool-check --rep)" = --repair ]
	touch "$CODE/d.rb"
	[ "$(complete_line skynet launch "$CODE/d")" = "$CODE/d.rb" ]
}

@test "version" {
	run -0 skynet --version
	[[ $output =~ ^skynet\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run -0 skynet version --json
	[ "$(jq -r .version <<<"$output")" != unknown ]
}

# --- the home ---

@test "--home wins over SKYNET_HOME, relative paths hold, a missing home is exit 78" {
	make_home
	mkdir "$BATS_TEST_TMPDIR/other"
	cd "$BATS_TEST_TMPDIR"
	run -0 skynet --home other config home.etc
	[ "$output" = "$BATS_TEST_TMPDIR/other/etc" ]
	run -0 skynet --home=other config home.etc
	[ "$output" = "$BATS_TEST_TMPDIR/other/etc" ]
	run -0 skynet config home.etc
	[ "$output" = "$H/etc" ]
	run -0 env -u SKYNET_HOME skynet config home.etc
	[ "$output" = /etc/skynet ]
	run -78 skynet --home nowhere status
	has nowhere
}

@test "--home behind the verb, of every verb" {
	make_p1
	unset SKYNET_HOME
	cd "$BATS_TEST_TMPDIR"
	run -0 skynet config --home home home.etc
	[ "$output" = "$H/etc" ]
	for command in 'list' 'list p1 --no-header' 'enable p1' 'spool ls p1' 'stop p1' 'disable p1' 'uninstall p1'; do
		run -0 skynet $command --home=home
		run skynet $command --home nowhere
		[ "$status" -eq 78 ]
	done
	run -0 skynet install --home home "$CODE/p1.py"
	[ -e "$H/sv/skynet-p1/run" ]
	SKYNET_HOME=nowhere run -0 skynet list --home home
	run -3 skynet local status --home home
	for verb in start stop install local version; do
		run -64 skynet "$verb" --home
		has '--home'
	done
}

@test "local init makes a home, and again changes nothing" {
	run -0 skynet local init "$H"
	for dir in etc sv service spool lib log run; do
		[ -d "$H/$dir" ]
	done
	[ -x "$H/service/skynet-amqp-spool/run" ]
	run -0 skynet --home "$H" config --check
	[ -z "$output" ]
	run -0 skynet --home "$H" config boss.amqp_host
	[ "$output" = none ]
	echo '# mine' >>"$H/etc/skynet.conf"
	before=$(cd "$H" && find . -type f -exec cksum {} + | sort)
	run -0 skynet local init "$H"
	[ "$before" = "$(cd "$H" && find . -type f -exec cksum {} + | sort)" ]
}

@test "the file that init writes has every key, and uncommented it means the same" {
	make_home
	run -0 skynet config
	defaults=$output
	keys=$(wc -l <<<"$output")
	[ "$keys" -eq "$(grep -c '^#\?[a-z_]* =' "$H/etc/skynet.conf")" ]
	sed -i 's/^#\([a-z_]* =\)/\1/' "$H/etc/skynet.conf"
	run -0 skynet config
	[ "$output" = "$defaults" ]
}

@test "local init with a broker" {
	echo secret >"$BATS_TEST_TMPDIR/pw"
	cd "$BATS_TEST_TMPDIR"
	skynet local init --amqp h:1234 --vhost v --user u --password-file pw "$H"
	run -0 skynet --home "$H" config
	has boss.amqp_host=h:1234
	has boss.amqp_vhost=v
	has boss.amqp_user=u
	has "boss.amqp_password_file=$BATS_TEST_TMPDIR/pw"
	run -0 skynet local init --amqp other "$H"
	has 'kept as it is'
	run -77 skynet local init --password-file nowhere "$H.2"
	[ ! -e "$H.2" ]
}

@test "local init refuses a directory that is something else" {
	mkdir "$H"
	touch "$H/precious"
	run -78 skynet local init "$H"
	has 'neither empty nor a home'
	[ "$(ls "$H")" = precious ]
	run -78 skynet local init "$CODE/p1.py"
	run -64 skynet local init
	run -64 skynet local init a b
	run -64 skynet local
	run -64 skynet local sideways
}

@test "local up, down and status need a home" {
	mkdir "$H"
	for what in up down status; do
		run -78 skynet --home "$H" local "$what"
		has 'is no home'
		run -64 skynet local "$what"
	done
}

@test "a home with blanks and quotes in its name" {
	H="$BATS_TEST_TMPDIR/it's a \$(home)"
	make_p1
	run -0 skynet list
	has "$CODE/p1.py"
	run -0 sh -c '. "$1" && printf %s "$HOME_DIR"' - "$H/sv/skynet-p1/service.env"
	[ "$output" = "$H" ]
	run -0 skynet status amqp-spool p1 || [ "$status" -eq 3 ]
}

# --- install ---

@test "install makes service, spool, log and run directory, down and enabled" {
	make_p1
	D=$H/sv/skynet-p1
	for file in run finish check log/run; do
		[ -x "$D/$file" ]
	done
	[ -e "$D/down" ]
	[ "$(readlink "$D/p1.py")" = "$CODE/p1.py" ]
	[ "$(readlink "$D/exo")" = "$SKYNET_LIBEXEC/exo" ]
	[ "$(readlink -f "$H/service/skynet-p1")" = "$D" ]
	for dir in open done failed work/cur work/result; do
		[ -d "$H/spool/p1/$dir" ]
	done
	[ ! -e "$H/spool/p1/work/new" ]
	[ -d "$H/run/p1" ]
	grep -qx 'N[1-9][0-9]*' "$H/log/p1/config"
	run -0 skynet config -p p1 participant.code
	[ "$output" = p1.py ]
}

@test "install's options reach the configuration" {
	make_p1 -n P.2 -q 'a queue' -r '^p.*[;#] %' -i 4
	run -0 skynet list --json P.2
	[ "$(jq -r '.[0] | .name, .queue, .regexp, .instances' <<<"$output")" = "P.2
a queue
^p.*[;#] %
4" ]
}

@test "install --copy keeps working when the original goes" {
	make_p1 --copy
	rm "$CODE/p1.py"
	[ -f "$H/sv/skynet-p1/p1.py" ]
	[ ! -L "$H/sv/skynet-p1/p1.py" ]
}

@test "install takes a relative path, and --no-enable leaves the link out" {
	make_home
	cd "$CODE"
	skynet install --no-enable p1.py
	[ "$(readlink "$H/sv/skynet-p1/p1.py")" = "$CODE/p1.py" ]
	[ ! -e "$H/service/skynet-p1" ]
	run -0 skynet enable p1
	[ -e "$H/service/skynet-p1" ]
	run -0 skynet list --json
	[ "$(jq '.[0].enabled' <<<"$output")" = true ]
}

@test "install refuses bad names and bad code, and leaves nothing behind" {
	make_home
	for name in a/b .a -a 'a b' amqp-spool "$(printf 'a%.0s' {1..65})" ''; do
		run -64 skynet install -n "$name" "$CODE/p1.py"
	done
	run -1 skynet install "$CODE/missing.py"
	run -1 skynet install "$CODE"
	run -64 skynet install
	run -64 skynet install "$CODE/p1.py" "$CODE/p1.py"
	cp "$CODE/p1.py" "$CODE/run"
	chmod 755 "$CODE/run"
	run -64 skynet install -n x "$CODE/run"
	run -78 skynet install -i 0 "$CODE/p1.py"
	has "instances: '0' is no number from 1 to 256"
	run -64 skynet install -q 'two
lines' "$CODE/p1.py"
	[ "$(ls -A "$H/sv")" = skynet-amqp-spool ]
	[ -z "$(ls -A "$H/spool")" ]
	[ "$(ls -A "$H/service")" = skynet-amqp-spool ]
}

@test "install refuses code that it cannot read" {
	[ "$(id -u)" -ne 0 ] || skip 'root reads everything'
	make_home
	chmod 0 "$CODE/p1.py"
	run -77 skynet install "$CODE/p1.py"
}

@test "what a home of another user needs is not begun" {
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	make_p1
	chown nobody "$H/sv"
	for command in "install -n p2 $CODE/p1.py" 'manual p1' 'local up' 'local down' "local init $H"; do
		# shellcheck disable=SC2086 # words
		run -77 setpriv --bounding-set=-all --inh-caps=-all skynet $command
		has "not permitted: $H/sv belongs to another user"
	done
}

@test "install refuses an existing name; --force writes it anew and keeps its spool" {
	make_p1 -q one
	touch "$H/spool/p1/open/x"
	rm "$H/sv/skynet-p1/down"
	run -1 skynet install -q two "$CODE/p1.py"
	has 'p1 exists already'
	run -0 skynet config -p p1 participant.queue
	[ "$output" = one ]
	run -0 skynet install --force -q two "$CODE/p1.py"
	run -0 skynet config -p p1 participant.queue
	[ "$output" = two ]
	[ -e "$H/spool/p1/open/x" ]
	[ ! -e "$H/sv/skynet-p1/down" ] # it was up: it stays wanted
}

@test "uninstall keeps spool and log, --purge removes them, but no open workitem" {
	make_p1
	run -0 skynet uninstall p1
	[ -z "$output" ]
	[ ! -e "$H/sv/skynet-p1" ]
	[ ! -L "$H/service/skynet-p1" ]
	[ -d "$H/spool/p1/open" ]
	[ -d "$H/log/p1" ]
	run -4 skynet uninstall p1
	skynet install "$CODE/p1.py"
	touch "$H/spool/p1/open/x"
	run -1 skynet uninstall --purge p1
	[ -e "$H/sv/skynet-p1/run" ]
	run -0 skynet uninstall p1
	[[ $output == "skynet uninstall: p1: workitems are left in $H/spool/p1/open: "* ]]
	skynet install "$CODE/p1.py"
	run -0 skynet uninstall --purge --force p1
	[ ! -e "$H/spool/p1" ]
	[ ! -e "$H/log/p1" ]
	run -64 skynet uninstall amqp-spool
}

# --- reading it back ---

@test "list: the header, a line each, sorted; --json parses; a broken one does not hide the others" {
	make_p1
	skynet install -n a1 "$CODE/p1.py"
	run -0 skynet list
	[[ ${lines[0]} == NAME*QUEUE*REGEXP*USER*INSTANCES*ENABLED*REGISTERED*CODE ]]
	[[ ${lines[1]} == a1\ * ]]
	[[ ${lines[2]} == p1\ * ]]
	echo 'instances = many' >>"$H/sv/skynet-a1/config.exo"
	run -0 skynet list --no-header
	[[ ${lines[0]} == a1*\?* ]]
	[ "${#lines[@]}" -eq 2 ]
	run -0 skynet list --json
	[ "$(jq -r '.[] | .name' <<<"$output")" = "a1
p1" ]
	run -4 skynet list nope
}

@test "configuration: later files win; complaints have file and line" {
	make_p1 -q 1
	q() { [ "$(skynet config -p p1 participant.queue)" = "$1" ]; }
	q 1
	mkdir "$H/etc/conf.d"
	printf '[participant]\nqueue: 2\n' >"$H/etc/conf.d/10.conf"
	q 2
	printf '[participant]\nqueue: 3 ; not a comment\n' >"$H/etc/conf.d/20.conf"
	q '3 ; not a comment'
	printf '[participant]\nqueue = 4' >"$H/etc/p1.conf"
	q 4
	printf '[participant]\n\nhold = x\nprefetch = 0\nqeue = 5\n' >"$H/etc/p1.conf"
	run -78 --separate-stderr skynet config --check -p p1
	[ -z "$output" ]
	[ "$stderr" = "$H/etc/p1.conf:3: hold: 'x' is no number from 1 to 1000000
$H/etc/p1.conf:4: prefetch: '0' is no number from 1 to 65535
$H/etc/p1.conf:5: warning: unknown key 'qeue' in [participant]" ]
	printf '[Participant]\nqueue = 5\n[boss]\nother = 1\n[greeting]\nx = 1\n' >"$H/etc/p1.conf"
	run -0 skynet config --check -p p1
	[ "$output" = "$H/etc/p1.conf:2: warning: [Participant] is a section of the participant's own: ours are in small letters" ]
	run -4 skynet config -p nope
	run -64 skynet config participant.nope
}

@test "config shows no password, unless asked for it" {
	make_home
	printf '[boss]\namqp_pwd = hunter2\n' >"$H/etc/skynet.conf"
	run -0 skynet config
	[[ $output != *hunter2* ]]
	run -0 skynet config --json
	[[ $output != *hunter2* ]]
	[ "$(jq -r .skynet.sync <<<"$output")" = syncfs ]
	run -0 skynet config boss.amqp_pwd
	[ "$output" = hunter2 ]
	[ "$(skynet config --json skynet.sync | jq -r .)" = syncfs ]
	[ "$(skynet config --json home.etc | jq -r .)" = "$H/etc" ]
}

# A name of a workitem that came so many seconds ago: name_of 10 1.
name_of() { printf '%s.%06d-0000-9f86d081884c7d65-w' "$(date -u -d "$1 seconds ago" +%Y%m%dT%H%M%S)" "$2"; }

@test "status of what does not run: 3; of what is not there: 4; counts; no colours" {
	make_p1
	touch "$H/spool/p1/open/$(name_of 60 1)" "$H/spool/p1/open/$(name_of 60 2)" "$H/spool/p1/open/x"
	touch "$H/spool/p1/open/$(name_of 60 3)" # spool-hold: neither waits nor is worked on
	ln "$H/spool/p1/open/$(name_of 60 3)"{,.hold}
	touch "$H/spool/p1/open/$(name_of 60 4)"
	exec {lock}<"$H/spool/p1/open/$(name_of 60 4)"
	mkdir -p "$H/spool/p1/failed/20261122/1054"
	touch "$H/spool/p1/failed/20261122/1054/"{a.json,a.log,b.json}
	flock "$lock"
	run -3 skynet status p1
	[[ ${lines[0]} == NAME*STATE*WANT*PID*UPTIME*RESTARTS*NEW*CUR*FAILED ]]
	[[ ${lines[1]} =~ ^p1\ +down\ +down\ +-\ +-\ +0\ +2\ +1\ +2$ ]]
	[ "${lines[2]}" = '    1 held' ]
	run -3 skynet status --json
	[ "$(jq -r '.[] | "\(.name) \(.state) \(.new) \(.cur) \(.held) \(.failed)"' <<<"$output")" = \
		"amqp-spool down null null null null
p1 down 2 1 1 2" ]
	flock -u "$lock"
	run -3 skynet status p1
	[[ ${lines[1]} =~ \ 3\ +0\ +2$ ]]
	run -4 skynet status nope
}

@test "status: colours on a terminal, none where NO_COLOR says something" {
	command -v script || skip "no script(1)"
	make_p1
	on_terminal() { TERM=vt100 "$@" script -qec 'skynet status p1 || :' /dev/null; }
	run -0 on_terminal env
	has $'\e['
	run -0 on_terminal env NO_COLOR=
	has $'\e['
	run -0 on_terminal env NO_COLOR=1
	[[ $output == *p1* && $output != *$'\e['* ]]
}

@test "status: what is answered does not wait, but it is looked for only when something has waited for a while" {
	make_p1
	. "$BATS_TEST_DIRNAME/../lib/spool.bash"
	young=$(name_of -600 1) # it stays young, however slow this is
	touch "$H/spool/p1/open/$young"
	spool_record "$young" ok '{}' >"$H/spool/p1/work/result/20261122T105443.865116-1.results"
	counts() { skynet status --no-header p1 | awk '{ print $7, $8 }'; }
	[ "$(counts)" = '1 0' ]
	old=$(name_of 6 2)
	touch "$H/spool/p1/open/$old"
	[ "$(counts)" = '1 1' ]
	spool_record "$old" error '{}' >>"$H/spool/p1/work/result/20261122T105443.865116-1.results"
	[ "$(counts)" = '0 2' ]
}

@test "status does not believe a state file whose writer is dead" {
	make_p1
	printf 'state: ready\npid: 1\nsince: 2026-11-22T10:54:43.865116Z\n' >"$H/run/p1/status"
	run -3 skynet status p1
	has ' down '
	flock "$H/run/p1/lock" sleep 60 3>&- & # waits while the look below holds it
	pids=$!
	wait_until 5 sh -c '! flock -n "$1" true' - "$H/run/p1/lock"
	run -0 skynet status p1
	has ' ready '
	printf 'state: ready\npid: 999999999\nsince: 2026-11-22T10:54:43.865116Z\n' >"$H/run/p1/status"
	run -3 skynet status p1
	has ' starting '
}

@test "status does not follow what a participant puts in place of its state file" {
	make_p1
	printf 'state: ready\npid: 1\n' >"$BATS_TEST_TMPDIR/fake"
	ln -s "$BATS_TEST_TMPDIR/fake" "$H/run/p1/status"
	run -3 skynet status p1
	rm "$H/run/p1/status"
	mkfifo "$H/run/p1/status"
	run -3 timeout 5 skynet status p1
	rm "$H/run/p1/status"
	mkfifo "$H/run/p1/lock"
	run -3 timeout 5 skynet status p1
}

@test "status is quick with 100 participants and 20000 files" {
	make_p1
	for i in $(seq 100); do
		mkdir -p "$H/sv/skynet-q$i" "$H/spool/q$i/open" "$H/run/q$i"
		cp "$H/sv/skynet-p1/config.exo" "$H/sv/skynet-q$i/"
	done
	(cd "$H/spool/q1/open" && seq -f 20261122T105443.%06g-0000-9f86d081884c7d65-w 20000 | xargs touch)
	SECONDS=0
	run -3 skynet status
	[ "$SECONDS" -le 3 ]
	[ "${#lines[@]}" -eq 103 ]
	has ' 20000 '
}

@test "verbs that act refuse unknown names (4) and want a supervisor (69)" {
	make_p1
	for verb in start stop restart reload enable disable wait uninstall; do
		run -4 skynet "$verb" nope
		has nope
		run -64 skynet "$verb"
	done
	run -4 skynet stop ''
	run -4 skynet stop '../p1'
	run -69 skynet start p1
	has 'local up'
	[ -e "$H/sv/skynet-p1/down" ]
	run -3 skynet reload p1
	run -0 skynet stop p1
	run -64 skynet stop --all p1
	run -64 skynet stop --timeout soon p1
	run -4 skynet manual nope
	run -4 skynet manual amqp-spool
}

@test "wait: idle, down, timeout" {
	make_p1
	run -0 skynet wait --for idle p1
	touch "$H/spool/p1/open/x"
	run -124 skynet wait --for idle --timeout 0.2 p1
	skynet wait --for idle --timeout 20 p1 3>&- &
	pids=$!
	rm "$H/spool/p1/open/x"
	wait "$pids"
	run -0 skynet wait --for down p1
	run -124 skynet wait --timeout 0 p1
	run -64 skynet wait --for tea p1
	run -64 skynet wait --timeout x p1
}

# --- log ---

make_logs()
{
	make_home
	mkdir "$H/log/a" "$H/log/b"
	echo '2026-11-22_10:00:00.00001 [w1 0_0] oldest' >"$H/log/a/@400000006b0301d720114ffc.s"
	echo '2026-11-22_10:00:02.00000 [w2 0_0] second' >"$H/log/a/@400000006b0301d820114ffc.u"
	echo '2026-11-22_10:00:04.00000 [w1 0_1] "fourth"' >"$H/log/a/current"
	printf '%s\n' '2026-11-22_10:00:01.00000 [w1 0_0] from b' '2026-11-22_10:00:03.00000 [-] third' >"$H/log/b/current"
}

@test "log merges services and rotated files by time" {
	make_logs
	run -0 skynet log
	[ "$output" = "2026-11-22_10:00:00.00001 a: [w1 0_0] oldest
2026-11-22_10:00:01.00000 b: [w1 0_0] from b
2026-11-22_10:00:02.00000 a: [w2 0_0] second
2026-11-22_10:00:03.00000 b: [-] third
2026-11-22_10:00:04.00000 a: [w1 0_1] \"fourth\"" ]
	run -0 skynet log a
	[ "${lines[1]}" = '2026-11-22_10:00:02.00000 [w2 0_0] second' ]
	run -0 skynet log -n 2 --all
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} == *third ]]
}

@test "log: --wfid, --grep, --since, --json, -o, wrong arguments" {
	make_logs
	run -0 skynet log --wfid w1
	[ "${#lines[@]}" -eq 3 ]
	run -0 skynet log --wfid w
	[ -z "$output" ]
	run -0 skynet log --grep 'sec|thi'
	[ "${#lines[@]}" -eq 2 ]
	touch -d '2026-11-22 10:00:05Z' "$H"/log/*/*
	run -0 skynet log --since 2026-11-22T10:00:03 -o
	[ "${#lines[@]}" -eq 2 ]
	run -0 skynet log --json a
	[ "$(jq -r 'select(.text | test("fourth")) | .time, .name, .text' <<<"$output")" = \
		'2026-11-22T10:00:04.00000Z
a
[w1 0_1] "fourth"' ]
	run -4 skynet log nope
	run -4 --separate-stderr skynet log a nope b
	[ "${#lines[@]}" -eq 5 ]
	[[ $stderr == *nope* ]]
	run -4 skynet log ..
	run -64 skynet log --since yesterday
	run -64 skynet log --grep '('
	run -64 skynet log -n x
	run -0 timeout 20 skynet log -f -o a # -o undoes -f
	[ "$output" = "$(skynet log a)" ]
}

@test "log -f follows across rotation and loses nothing" {
	make_logs
	skynet log -f -n 0 a >"$BATS_TEST_TMPDIR/out" 3>&- &
	pids=$!
	seen() { grep -q "$1" "$BATS_TEST_TMPDIR/out"; }
	line() { echo "2026-11-22_10:00:05.00000 $1"; }
	# it has found the end when it shows a line that comes after it
	shows() { line probe >>"$H/log/a/current" && seen probe; }
	wait_until 10 shows
	line one >>"$H/log/a/current"
	mv "$H/log/a/current" "$H/log/a/@400000006b0301da20114ffc.s"
	line two >"$H/log/a/current"
	mv "$H/log/a/current" "$H/log/a/@400000006b0301db20114ffc.s"
	printf 2026-11-22_10 >"$H/log/a/current"
	wait_until 10 seen two
	echo ':00:07.00000 three' >>"$H/log/a/current"
	wait_until 10 seen three
	[ "$(grep -v probe "$BATS_TEST_TMPDIR/out")" = '2026-11-22_10:00:05.00000 one
2026-11-22_10:00:05.00000 two
2026-11-22_10:00:07.00000 three' ]
}

# --- templates ---

@test "prepare: a wrong configuration is exit 78 with its reason in the state file, the log still comes" {
	make_p1
	echo 'hold = x' >>"$H/sv/skynet-p1/config.exo"
	run -78 "$SKYNET_LIBEXEC/skynet-prepare" p1
	grep -q '^state: config-error$' "$H/run/p1/status"
	grep -q "^reason: .*config.exo:[0-9]*: hold: 'x' is no number" "$H/run/p1/status"
	run -0 "$SKYNET_LIBEXEC/skynet-prepare" --log p1
	run -3 skynet status p1
	has config-error
	has 'is no number'
}

@test "log_size, log_count and log_min_free reach svlogd" {
	make_home
	printf '[skynet]\nlog_size = 5000\nlog_count = 3\nlog_min_free = 7\n' >"$H/etc/skynet.conf"
	run -0 "$SKYNET_LIBEXEC/skynet-prepare" --log amqp-spool
	[ "$(cat "$H/log/amqp-spool/config")" = "s5000
n3
N2" ]
}
