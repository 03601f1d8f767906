#!/usr/bin/env bats
# Participants that are no Python: exo with exo-exec and exo-so, on real files.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
	rm "$H/sv/skynet-P1/code.py"
	P=$H/sv/skynet-P1/code
}

teardown() { exo_teardown; }

conf() { printf '%s\n' "$@" >>"$CONF"; }

# program [LINE…]: the participant is this shell script (or standard input).
program()
{
	conf 'code = code'
	if [ $# -eq 0 ]; then cat; else printf '%s\n' '#!/bin/sh' "$@"; fi >"$P"
	chmod 755 "$P"
}

trace() { field "$1" '["error"]["trace"]'; }
message() { field "$1" '["error"]["message"]'; }

# --- executables ---

@test "an executable: workitem on stdin, exit code and stdout are the reply, stderr the log" {
	program 'sed "s/\"x\":1/\"x\":2/"' 'echo "to the log" >&2'
	start_ready
	n=$(put x=1 wfid=20261122-aaa)
	wait_until 10 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	[ "$(header "$n" send)" = reply ]
	[ "$(header "$n" sha256)" = "$(body "$n" | sha256sum | cut -d' ' -f1)" ]
	[ "$(field "$n" '["fields"]["x"]')" = 2 ]
	[ "$(field "$n" '["fields"]["__result__"]')" = True ]
	wait_until 5 unnoted "$n"
	wait_until 5 logged '^\[20261122-aaa 0_0_0\] to the log$'
	stop_exo
	[ "$code" -eq 0 ]
}

@test "no output: the bytes of the workitem, with the result; exit 1 is false" {
	program 'exit 1'
	start_ready
	n=$(put 'x={"big":12345678901234567890,"u":"\u00e9"}')
	wait_until 10 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	body "$n" | sed 's/,"__result__":false//' | cmp - "$H/spool/P1/open/$n"
	body "$n" | grep -q '"__result__":false}'
}

@test "other exit codes and signals are error replies with the last lines of stderr" {
	program 'case $(cat) in *kill*) kill -SEGV $$ ;; esac' \
		'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "line $i" >&2; done; printf "the \"last\" one" >&2; exit 7'
	start_ready
	a=$(put n=1)
	b=$(put do=kill)
	wait_until 10 has_result "$b"
	[ "$(header "$a" outcome)" = error ]
	[ "$(message "$a")" = 'code exited with code 7: the "last" one' ]
	[ "$(field "$a" '["error"]["class"]')" = RuntimeError ]
	[ "$(field "$a" '["error"]["trace"][0]')" = 'line 22' ]
	[ "$(field "$a" '["error"]["trace"][19]')" = 'the "last" one' ]
	[ "$(field "$a" '["fields"]["n"]')" = 1 ]
	[[ $(message "$b") == 'code killed by signal 11 (SIGSEGV)'* ]]
	[ "$(status restarts)" = 0 ]
	[ "$(header "$b" attempt)" = 1 ]
}

@test "what is no reply to the workitem is an error reply that says why" {
	program 'case $(cat) in' \
		'*junk*) echo nonsense ;;' \
		'*other*) echo "{\"fei\":{\"wfid\":\"x\"},\"fields\":{}}" ;;' \
		'*array*) echo "[]" ;;' \
		'*own*) sed "s/^{/{\"error\":\"mine\",/" "$SKYNET_WORKITEM_FILE" ;;' \
		'*blank*) printf " \n\n" ;; esac'
	start_ready
	a=$(put do=junk) b=$(put do=other) c=$(put do=array) d=$(put do=own) e=$(put do=blank)
	wait_until 10 has_result "$e"
	[ "$(message "$a")" = 'the reply is not a JSON object' ]
	[ "$(message "$b")" = 'the reply has another fei' ]
	[ "$(message "$c")" = 'the reply is not a JSON object' ]
	[[ $(message "$d") == *'`error` of its own'* ]]
	[ "$(header "$e" outcome)" = ok ]
}

@test "the environment says which workitem it is" {
	program 'cat >/dev/null' 'cmp -s "$SKYNET_WORKITEM_FILE" "$PWD/../../spool/P1/open/$SKYNET_WORKITEM" || exit 9' \
		'echo "$SKYNET_WFID $SKYNET_EXPID $SKYNET_PARTICIPANT $SKYNET_WORKITEM $SKYNET_ATTEMPT $SKYNET_HOME $MORE" >&2'
	echo 'MORE=from a file' >>"$H/etc/P1.env"
	start_ready
	n=$(put wfid=20261122-bbb)
	wait_until 10 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
	wait_until 5 logged "\\] 20261122-bbb 0_0_0 P1 $n 1 $H from a file\$"
}

@test "forget: nothing is sent" {
	program 'exit 0'
	start_ready
	n=$(put 'params={"forget":true}')
	wait_until 10 has_result "$n"
	[ "$(header "$n" send)" = nothing ]
}

@test "16 MB in and out, whether stdin is read first, late or never" {
	program 'case $SKYNET_WFID in' '*cat) exec cat ;;' '*late) head -c 3000000 "$SKYNET_WORKITEM_FILE"; exec tail -c +3000001 ;;' \
		'*never) exit 0 ;; esac'
	start_ready
	dd if=/dev/zero bs=1M count=16 status=none | tr '\0' x >"$S/pad"
	for w in cat late never; do
		n=$(LIB=$LIB H=$H /usr/bin/python3 -c '
import os, sys
sys.path.insert(0, os.environ["LIB"])
import mkwi
print(mkwi.store(os.environ["H"], "P1", {"pad": open(sys.argv[2]).read()}, sys.argv[1]))' "$w" "$S/pad")
		wait_until 60 has_result "$n"
		[ "$(header "$n" outcome)" = ok ]
		body "$n" | sed 's/,"__result__":true//' | cmp - "$H/spool/P1/open/$n"
	done
}

@test "more output than max_size is an error reply, and does not stop the next one" {
	program 'case $(cat) in *flood*) exec cat /dev/zero ;; esac'
	conf 'max_size = 100000'
	start_ready
	a=$(put do=flood)
	b=$(put n=2)
	wait_until 20 has_result "$b"
	[ "$(header "$a" outcome)" = error ]
	[ "$(message "$a")" = 'the reply is larger than max_size' ]
	[ "$(header "$b" outcome)" = ok ]
}

@test "a daemon that keeps stdout and stderr holds nothing up; what it prints is tagged with its workitem" {
	program 'case $(cat) in *daemon*)' \
		'(echo $$ >'"$S"'/daemon.1; while [ ! -e '"$S"'/go ]; do sleep 0.05; done; echo late out; echo late err >&2) & ;; esac' \
		'sed "s/\"n\":1/\"n\":7/" "$SKYNET_WORKITEM_FILE"'
	start_ready
	a=$(put do=daemon n=1 wfid=20261122-aaa)
	b=$(put n=2 wfid=20261122-bbb)
	wait_until 10 has_result "$b"
	[ "$(field "$a" '["fields"]["n"]')" = 7 ]
	[ "$(header "$b" outcome)" = ok ]
	: >"$S/go"
	wait_until 10 logged '^\[20261122-aaa 0_0_0\] late out$'
	wait_until 10 logged '^\[20261122-aaa 0_0_0\] late err$'
	c=$(put n=3)
	wait_until 10 has_result "$c"
	stop_exo
	[ "$code" -eq 0 ]
}

@test "what the program started dies with its worker, and the workitem is run again" {
	program 'cat >/dev/null; [ "$SKYNET_ATTEMPT" = 1 ] || exit 0' 'sleep 1000 & echo $! >'"$S"'/child; echo $$ >'"$S"'/self; wait'
	start_ready
	n=$(put n=1)
	wait_until 10 [ -s "$S/self" ]
	kill -KILL "$(pgrep -P "$exo" -f exo-exec)"
	wait_until 10 gone "$(cat "$S/self")"
	wait_until 10 gone "$(cat "$S/child")"
	wait_until 20 has_result "$n"
	[ "$(header "$n" attempt)" = 2 ]
	[ "$(header "$n" outcome)" = ok ]
}

@test "a program dies with exo" {
	program 'cat >/dev/null; echo $$ >'"$S"'/self; exec sleep 1000'
	start_ready
	put n=1
	wait_until 10 [ -s "$S/self" ]
	kill -KILL "$exo"
	wait_until 10 gone "$(cat "$S/self")"
}

@test "not executable, or not there: back-off with the reason, the workitem waits" {
	program 'exit 0'
	chmod 644 "$P"
	start_exo
	n=$(put n=1)
	wait_until 10 state_is backoff
	[[ $(status reason) == *"$P cannot be executed: Permission denied"* ]]
	chmod 755 "$P"
	wait_until 20 has_result "$n"
	[ "$(header "$n" attempt)" = 1 ]
}

@test "an interpreter that does not exist costs attempts, then it is an error reply" {
	printf '#!/does/not/exist\n' >"$P"
	chmod 755 "$P"
	conf 'code = code' 'max_attempts = 2'
	start_ready
	n=$(put n=1)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = crash ]
	field "$n" '["error"]["trace"]' | grep -q 'cannot be started: No such file'
}

@test "TERM: a program that ends within grace answers; one that does not is resumed" {
	program 'cat >/dev/null' ': >'"$S"'/began; while [ ! -e '"$S"'/go ]; do sleep 0.05; done'
	conf 'grace = 2'
	start_ready
	n=$(put n=1)
	wait_until 10 [ -e "$S/began" ]
	stop_exo
	[ "$code" -eq 0 ]
	unnoted "$n" # it does not count (claim.4)
	: >"$S/go"
	start_ready
	wait_until 10 has_result "$n"
	[ "$(header "$n" attempt)" = 1 ]
}

@test "100 MB of one line on stderr, and a thousand workitems, hold nothing up" {
	program 'case $(cat) in *flood*) head -c 100000000 /dev/zero | tr "\0" x >&2; exit 3 ;; esac'
	conf 'instances = 2'
	start_ready 2
	a=$(put do=flood)
	"$LIB/mkwi.py" many "$H" P1 1000 300
	wait_until 120 results 1001
	[ "$(header "$a" outcome)" = error ]
	[ "$(status restarts)" = 0 ]
	[ "$(rss_kb "$exo")" -lt 3072 ] || sanitized
}

@test "instances work side by side" {
	program 'cat >/dev/null; echo $$ >>'"$S"'/pids; while [ "$(wc -l <'"$S"'/pids)" -lt 3 ]; do sleep 0.05; done'
	conf 'instances = 3'
	start_ready 3
	a=$(put n=1) b=$(put n=2) c=$(put n=3)
	wait_until 20 results 3
	has_result "$a"
	has_result "$b"
	has_result "$c"
}

# --- shared libraries ---

# library FILE: the participant is this shared library.
library()
{
	ln -sf "$1" "$H/sv/skynet-P1/code.so"
	conf 'code = code.so'
}

# compile [FLAG…] <SOURCE: makes $S/code.so of it.
compile() { cc -shared -fPIC -I"$ROOT/include" "$@" -xc -o "$S/code.so" - && library "$S/code.so"; }

@test "a shared library: one process for all workitems, start, stop, log, result" {
	library "$BUILD/examples/tally.so"
	echo TALLY_FROM=10 >>"$H/etc/P1.env"
	start_ready
	a=$(put n=1 wfid=20261122-aaa)
	b=$(put n=2)
	wait_until 10 has_result "$b"
	[ "$(field "$a" '["fields"]["tally"]')" = 11 ]
	[ "$(field "$b" '["fields"]["tally"]')" = 12 ]
	[ "$(field "$b" '["fields"]["__result__"]')" = True ]
	[ "$(header "$a" sha256)" = "$(body "$a" | sha256sum | cut -d' ' -f1)" ]
	wait_until 5 logged '^\[20261122-aaa 0_0_0\] 20261122-aaa: number 11$'
	stop_exo
	[ "$code" -eq 0 ]
	logged '^\[-\] 12 in all$'
}

@test "a start that fails, a missing function, another version, no library: back-off with the reason" {
	start() { start_exo; wait_until 10 state_is backoff; status reason; stop_exo; }
	library "$BUILD/examples/tally.so"
	echo TALLY_FROM=many >>"$H/etc/P1.env"
	[[ $(start) == *'skynet_control(START) returned 1: TALLY_FROM is no number'* ]]
	echo 'int skynet_handle(const void *a, void *b) { return 0; }' | compile
	[[ $(start) == *'no skynet_abi in it'* ]]
	echo 'const unsigned skynet_abi = 99;' | compile
	[[ $(start) == *'another version'* ]]
	printf '%s\n' '#include <skynet/participant.h>' 'int skynet_handle(const struct skynet_workitem *a, struct skynet_reply *b) { return 0; }' | compile
	[[ $(start) == *'no function skynet_control'* ]]
	printf '%s\n' 'int nowhere(void); const unsigned skynet_abi = 1; int skynet_handle(void) { return nowhere(); }' | compile
	[[ $(start) == *'undefined symbol: nowhere'* ]]
	echo junk >"$S/code.so"
	[[ $(start) == *'file too short'* ]]
}

@test "errors of a library, replies that are none, and who owns them" {
	compile <<'END'
#include <skynet/participant.h>
#include <stdio.h>
#include <string.h>
static void done(struct skynet_reply *r) { printf("released %s\n", (char *)r->data); }
int skynet_handle(const struct skynet_workitem *in, struct skynet_reply *out)
{
	out->release = done;
	out->data = (void *)in->name;
	if (strstr(in->json, "\"do\":\"error\"")) { out->error = "no \"luck\""; return -7; }
	if (strstr(in->json, "\"do\":\"plain\"")) return 5;
	if (strstr(in->json, "\"do\":\"junk\"")) { out->json = "junkjunk"; out->len = 4; return 0; }
	if (strstr(in->json, "\"do\":\"nolen\"")) { out->json = in->json; return 0; }
	return 1;
}
int skynet_control(const struct skynet_control *m) { return SKYNET_UNSUPPORTED; }
END
	start_ready
	a=$(put do=error) b=$(put do=plain) c=$(put do=junk) l=$(put do=nolen) d=$(put do=false) e=$(put 'params={"forget":1}')
	wait_until 10 has_result "$e"
	[ "$(message "$a")" = 'no "luck"' ]
	[ "$(message "$b")" = 'skynet_handle returned 5' ]
	[ "$(message "$c")" = 'the reply is not a JSON object' ]
	[ "$(message "$l")" = 'the reply has the length 0' ]
	[ "$(header "$d" outcome)" = ok ]
	[ "$(field "$d" '["fields"]["__result__"]')" = False ]
	[ "$(header "$e" send)" = nothing ]
	for n in "$a" "$b" "$c" "$d" "$e"; do
		wait_until 5 logged "released $n"
		[ "$(grep -c "released $n" "$LOG")" -eq 1 ]
	done
}

@test "the header in C++, in strict C, and where everything is hidden by default" {
	printf '%s\n' '#include <skynet/participant.h>' \
		'int skynet_handle(const struct skynet_workitem *in, struct skynet_reply *out) { (void)in; (void)out; return 0; }' \
		'int skynet_control(const struct skynet_control *m) { (void)m; return SKYNET_UNSUPPORTED; }' >"$S/a.c"
	flags="-Wall -Wextra -Werror -shared -fPIC -I$ROOT/include -fvisibility=hidden"
	# shellcheck disable=SC2086 # words
	cc -std=c99 -pedantic $flags -o "$S/c.so" "$S/a.c"
	nm -D "$S/c.so" >"$S/names"
	# shellcheck disable=SC2086 # words
	if command -v c++ >/dev/null; then
		c++ $flags -xc++ -o "$S/c.so" "$S/a.c"
		nm -D "$S/c.so" >>"$S/names"
		[ "$(grep -cE ' (skynet_abi|skynet_handle|skynet_control)$' "$S/names")" -eq 6 ]
	fi
	[ "$(grep -cE ' (skynet_abi|skynet_handle|skynet_control)$' "$S/names")" -ge 3 ]
	library "$S/c.so"
	start_ready
	n=$(put n=1)
	wait_until 10 has_result "$n"
}

@test "a fork of a library's that comes back answers nothing" {
	compile <<'END'
#include <skynet/participant.h>
#include <unistd.h>
int skynet_handle(const struct skynet_workitem *in, struct skynet_reply *out) { return fork() == 0 ? 0 : 1; }
int skynet_control(const struct skynet_control *m) { return fork() == 0 ? 0 : SKYNET_UNSUPPORTED; }
END
	start_ready
	a=$(put n=1) b=$(put n=2) c=$(put n=3)
	wait_until 10 has_result "$c"
	[ "$(field "$a" '["fields"]["__result__"]')" = False ]
	[ "$(field "$b" '["fields"]["__result__"]')" = False ]
	[ "$(status restarts)" = 0 ]
	stop_exo
	[ "$code" -eq 0 ]
}

@test "a library that crashes is a worker's death like any other" {
	library "$BUILD/examples/tally.so"
	conf 'max_attempts = 2'
	start_ready
	a=$(put crash=true)
	wait_until 20 has_result "$a"
	[ "$(header "$a" outcome)" = crash ]
	[[ $(message "$a") == *'killed by signal 6 (SIGABRT)'*'(2 attempts)' ]]
	b=$(put n=1)
	wait_until 20 has_result "$b"
	[ "$(header "$b" outcome)" = ok ]
}

# --- control ---

@test "quit and stop reach a library that works; exo's end is its end" {
	library "$BUILD/examples/tally.so"
	start_ready
	n=$(put wait="$S/go")
	wait_until 10 in_hand "$n"
	kill -TERM "$exo"
	wait_until 10 logged '^\[.*\] 0 in all$'
	: >"$S/go"
	wait_until 10 has_result "$n"
	code=0; wait "$exo" || code=$?
	[ "$code" -eq 0 ]
	put wait="$S/gone"
	start_ready
	wait_until 10 [ -n "$(pgrep -P "$exo" -f exo-so)" ]
	pid=$(pgrep -P "$exo" -f exo-so)
	kill -KILL "$exo"
	wait_until 10 gone "$pid"
}

ask() { "$LIB/ctl.py" "$H" P1 "$1" >"$S/answer"; }
events() { /usr/bin/python3 -c 'import json,sys; print(*[json.loads(l).get("event", "") for l in open(sys.argv[1])])' "$S/answer"; }

@test "cancel is SIGTERM to a program and its children; status is absent; the next one is not meant" {
	program 'case $(cat) in *long*) ;; *) exit 0 ;; esac' 'trap "echo asked >&2; exit 5" TERM' \
		'sleep 1000 & echo $! >'"$S"'/child; : >'"$S"'/began; wait'
	start_ready
	n=$(put do=long)
	wait_until 10 [ -e "$S/began" ]
	ask "status $n wait=5000"
	grep -q '"absent":"an executable has no status()"' "$S/answer"
	ask "cancel $n wait=10000"
	[[ $(events) == 'requested '*'finished '* ]] # two sockets: `acknowledged` may come too late
	[ "$(message "$n")" = 'code was cancelled, exited with code 5: asked' ]
	[ "$(status restarts)" = 0 ]
	ended() { case $(cat "/proc/$1/stat" 2>/dev/null) in '' | *') Z '*) ;; *) return 1 ;; esac; }
	wait_until 10 ended "$(cat "$S/child")" # a zombie until the next one is run
	m=$(put n=1)
	wait_until 10 has_result "$m"
	[ "$(header "$m" outcome)" = ok ]
	[ "$(status restarts)" = 0 ]
}

@test "a program that ignores SIGTERM is killed when cancel says so" {
	program 'trap "" TERM; cat >/dev/null; : >'"$S"'/began; while :; do sleep 0.1; done'
	start_ready
	n=$(put n=1)
	wait_until 10 [ -e "$S/began" ]
	ask "cancel $n wait=20000 kill=1"
	[[ $(events) == 'requested acknowledged killed finished '* ]]
	[ "$(header "$n" outcome)" = cancelled ]
}

@test "time_limit: TERM to the program and its children, outcome timeout, not tried again" {
	program 'trap "echo asked >&2; exit 0" TERM' 'cat >/dev/null; sleep 1000 & echo $! >'"$S"'/child; wait'
	conf 'time_limit = 1'
	start_ready
	n=$(put n=1)
	wait_until 20 has_result "$n"
	[ "$(header "$n" outcome)" = timeout ]
	[ "$(header "$n" attempt)" = 1 ]
	wait_until 10 gone "$(cat "$S/child")"
	m=$(put n=2)
	wait_until 20 has_result "$m"
	[ "$(header "$m" outcome)" = timeout ]
}

@test "a library is told cancel and asked for its status while it works" {
	library "$BUILD/examples/tally.so"
	start_ready
	n=$(put wait="$S/never")
	tells() { ask "status $n wait=5000" && grep -q '"answer":{"tally":0}' "$S/answer"; }
	wait_until 10 tells
	ask "cancel $n wait=10000"
	[[ $(events) == 'requested '*'finished '* ]]
	[ "$(message "$n")" = cancelled ]
}

@test "a library that hangs in a message: who asks for its status later is told so at once" {
	: >"$S/hangs"
	compile "-DHANGS=\"$S/hangs\"" "-DBEGUN=\"$S/begun\"" <<'END'
#include <skynet/participant.h>
#include <stdio.h>
#include <unistd.h>
int skynet_handle(const struct skynet_workitem *in, struct skynet_reply *out)
{
	(void)in, (void)out;
	fclose(fopen(BEGUN, "w"));
	while (access(HANGS, F_OK) == 0)
		usleep(10000);
	return 0;
}
int skynet_control(const struct skynet_control *c)
{
	while (c->message == SKYNET_STATUS && access(HANGS, F_OK) == 0)
		usleep(10000);
	return 0;
}
END
	start_ready
	n=$(put n=1)
	wait_until 10 test -e "$S/begun"
	told() { ask "status $n wait=$1" && grep -q '"absent":"still busy with an earlier message, since 20' "$S/answer"; }
	not told 50
	wait_until 20 told 50
	told 60000 # it need not wait
	rm "$S/hangs"
	wait_until 10 has_result "$n"
	[ "$(header "$n" outcome)" = ok ]
}

# --- examples, replay ---

@test "the examples in shell and C do what they say" {
	cp "$ROOT/examples/shell/room.sh" "$P"
	conf 'code = code'
	start_ready
	a=$(put 'params={"min_mb":0}')
	b=$(put 'params={"min_mb":999999999}')
	wait_until 10 has_result "$b"
	[ "$(field "$a" '["fields"]["__result__"]')" = True ]
	[ "$(field "$b" '["fields"]["__result__"]')" = False ]
	[ "$(field "$b" '["fields"]["free_mb"]')" -ge 0 ]
	stop_exo
	ln -sf "$BUILD/examples/prime" "$P"
	start_ready
	a=$(put 'params={"n":1000003}') b=$(put 'params={"n":1000001}') c=$(put n='"x"')
	wait_until 10 has_result "$c"
	[ "$(field "$a" '["fields"]["__result__"]')" = True ]
	[ "$(field "$b" '["fields"]["__result__"]')" = False ]
	[ "$(message "$c")" = 'code exited with code 2: the param n must be a number' ]
}

@test "replay runs an executable and a library in the foreground" {
	replay() { "$BUILD/libexec/skynet/skynet-replay" --home "$H" -p P1 "$@"; }
	program 'echo in the log >&2' 'cmp "$SKYNET_WORKITEM_FILE" '"$ROOT"'/tests/data/workitems/simple.json && exec sed "s/\"x\":1/\"x\":3/"'
	run replay --raw "$ROOT/tests/data/workitems/simple.json"
	[ "$status" -eq 0 ]
	[[ $output == *'in the log'*'outcome ok, would send reply'*'"x":3'*'"__result__":true'* ]]
	run replay --pdb "$ROOT/tests/data/workitems/simple.json"
	[ "$status" -eq 64 ]
	program 'echo no >&2; exit 9'
	run replay "$ROOT/tests/data/workitems/simple.json"
	[ "$status" -eq 1 ]
	[[ $output == *'"message": "code exited with code 9: no"'* ]]
	library "$BUILD/examples/tally.so"
	run replay "$ROOT/tests/data/workitems/simple.json"
	[ "$status" -eq 0 ]
	[[ $output == *'"tally": 1'* ]]
	[ -z "$(find "$W" -type f)" ]
}

# --- install ---

@test "install takes what can be executed, and nothing else" {
	export SKYNET_LIBEXEC=$BUILD/libexec/skynet SKYNET_HOME=$BATS_TEST_TMPDIR/i
	"$ROOT/bin/skynet" local init "$SKYNET_HOME" >/dev/null
	printf '#!/bin/sh\nexit 1\n' >"$S/no.sh"
	run "$ROOT/bin/skynet" install "$S/no.sh"
	[ "$status" -eq 77 ]
	[[ $output == *'cannot be executed'* ]]
	[ ! -e "$SKYNET_HOME/sv/skynet-no" ]
	chmod 755 "$S/no.sh"
	"$ROOT/bin/skynet" install --copy "$S/no.sh"
	[ -x "$SKYNET_HOME/sv/skynet-no/no.sh" ]
	grep -qx 'code = no.sh' "$SKYNET_HOME/sv/skynet-no/config.exo"
}
