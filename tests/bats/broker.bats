#!/usr/bin/env bats
# The fixtures themselves: a private broker, amqp.py, wait_until.
# shellcheck disable=SC1091

setup_file()
{
	. "$BATS_TEST_DIRNAME/../lib/broker.sh"
	export BROKER_LIB
	broker_start "$BATS_FILE_TMPDIR/a"
}

teardown_file()
{
	. "$BATS_TEST_DIRNAME/../lib/broker.sh"
	broker_stop "$BATS_FILE_TMPDIR/a"
	broker_kill "$BATS_FILE_TMPDIR/second"
}

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/broker.sh"
	A=$BATS_FILE_TMPDIR/a
	# For a test that needs one of its own; and one for those that stop and start it.
	B=$BATS_TEST_TMPDIR/b
	SECOND=$BATS_FILE_TMPDIR/second
	broker_env "$A"
}

teardown()
{
	[ ! -d "$B" ] || broker_kill "$B"
}

second()
{
	broker_running "$SECOND" || broker_start "$SECOND"
	broker_env "$SECOND"
}

amqp()
{
	"$BROKER_LIB/amqp.py" "$@"
}

# --- wait_until ---

@test "wait_until returns when its command succeeds" {
	rm -f "$BATS_TEST_TMPDIR/there"
	(
		wait_until 5 test -e "$BATS_TEST_TMPDIR/go"
		touch "$BATS_TEST_TMPDIR/there"
	) 3>&- &
	touch "$BATS_TEST_TMPDIR/go"
	wait_until 5 test -e "$BATS_TEST_TMPDIR/there"
}

@test "wait_until and within say which command failed, how, and what it printed" {
	fails()
	{
		echo oops
		return 7
	}
	run within 0 fails now
	[ "$status" -eq 1 ]
	[ "$output" = "still failing after 0 s: fails now (exit 7), it printed: oops" ]
}

# --- publish and get ---

@test "a message goes through byte for byte, with the engine's properties" {
	amqp declare q1
	printf '{"x":"\303\244\\u0000","y":1.0}' >"$BATS_TEST_TMPDIR/in"
	amqp publish q1 <"$BATS_TEST_TMPDIR/in"
	amqp get q1 --keep --raw "$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	amqp get q1 --props >"$BATS_TEST_TMPDIR/props"
	jq -e '.delivery_mode == 1 and .content_type == "application/octet-stream" and .priority == 0
		and .correlation_id == "" and .redelivered and .routing_key == "q1"
		and (has("headers") or has("message_id") | not)' "$BATS_TEST_TMPDIR/props"
}

@test "get takes count messages and leaves the others" {
	amqp declare q2
	printf body | amqp publish q2 --count 5
	run amqp get q2 --count 2
	[ "$output" = "body
body" ]
	[ "$(amqp length q2)" -eq 3 ]
	[ "$(broker_queue_length "$A" q2)" -eq 3 ]
	amqp purge q2
	[ "$(amqp length q2)" -eq 0 ]
}

@test "get times out with 124 and says how far it came" {
	amqp declare q3
	printf one | amqp publish q3
	run amqp get q3 --count 2 --timeout 0.3
	[ "$status" -eq 124 ]
	[[ "$output" = *"1 of 2 messages from q3"* ]]
}

@test "a mandatory message for a missing queue is refused, another is lost in silence" {
	run amqp publish nowhere --mandatory </dev/null
	[ "$status" -eq 1 ]
	[[ "$output" = *"no such queue"* ]]
	run amqp publish nowhere </dev/null
	[ "$status" -eq 0 ]
}

@test "a missing queue is an error that names it" {
	run amqp length nowhere
	[ "$status" -eq 1 ]
	[[ "$output" = *NOT_FOUND*nowhere* ]]
	run broker_queue_length "$A" nowhere
	[ "$status" -eq 1 ]
	[[ "$output" = *not_found* ]]
}

@test "delete removes a queue" {
	amqp declare q4
	amqp delete q4
	run amqp length q4
	[ "$status" -eq 1 ]
}

@test "engine prints the replies to what it published" {
	printf '{"n":1}\n{"n":2}\n' >"$BATS_TEST_TMPDIR/items"
	run amqp engine ruote_workitems <"$BATS_TEST_TMPDIR/items"
	[ "$status" -eq 0 ]
	[ "$output" = '{"n":1}
{"n":2}' ]
}

@test "without a broker amqp.py exits 69" {
	run amqp --port 1 length q
	[ "$status" -eq 69 ]
	[[ "$output" = *"127.0.0.1:1"* ]]
}

# --- the broker ---

@test "rabbitmqctl reaches the broker, and no epmd serves it" {
	run broker_ctl "$A" --quiet list_vhosts
	[ "$status" -eq 0 ]
	[[ "$output" = *boss* ]]
	read -r pid _ <"$A/pid"
	run ps -o args= --ppid "$pid"
	[[ "$output" != *epmd* ]]
}

@test "close_connections ends a consumer with the given reason" {
	amqp declare q5
	amqp get q5 --timeout 30 >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	getter=$!
	consumed()
	{
		[ "$(broker_queue_length "$A" q5 consumers)" -eq 1 ]
	}
	wait_until 10 consumed
	broker_close_connections "$A" "it's \"over\""
	status=0
	wait "$getter" || status=$?
	[ "$status" -eq 1 ]
	grep -F "320 CONNECTION_FORCED - it's \"over\"" "$BATS_TEST_TMPDIR/log"
}

@test "block raises the alarm that stops publishers, and clears it" {
	amqp declare q6
	broker_block "$A" on
	run amqp publish q6 --timeout 0.5 <<<body
	[ "$status" -eq 124 ]
	[[ "$output" = *"blocks publishers"* ]]
	broker_block "$A" off
	amqp publish q6 <<<body
}

@test "restart keeps the port and persistent messages, and loses the others" {
	second
	port=$BROKER_PORT
	amqp declare q_restart
	printf kept | amqp publish q_restart --persistent
	printf lost | amqp publish q_restart
	broker_restart "$SECOND"
	[ "$BROKER_PORT" -eq "$port" ]
	[ "$(amqp length q_restart)" -eq 1 ]
	[ "$(amqp get q_restart)" = kept ]
}

@test "kill -9 and restart keeps a confirmed persistent message" {
	second
	amqp declare q
	printf kept | amqp publish q --persistent
	broker_kill "$SECOND"
	run broker_running "$SECOND"
	[ "$status" -ne 0 ]
	run amqp length q
	[ "$status" -eq 69 ]
	broker_restart "$SECOND"
	[ "$(amqp get q)" = kept ]
}

@test "two brokers at once know nothing of each other" {
	amqp declare only_in_a
	second
	run amqp length only_in_a
	[ "$status" -eq 1 ]
	amqp declare only_in_b
	# The password of the one is wrong at the other: which of two got a port that both wanted is not mistaken.
	read -r pid _ <"$SECOND/pid"
	run env BROKER_PORT="$(sed -n "s/^BROKER_PORT='*\([0-9]*\).*/\1/p" "$A/env")" "$BROKER_LIB/amqp.py" wait --pid "$pid" --timeout 1
	[ "$status" -eq 124 ]
	"$BROKER_LIB/amqp.py" wait --pid "$pid" --timeout 20
	broker_env "$A"
	run amqp length only_in_b
	[ "$status" -eq 1 ]
	amqp length only_in_a
}

@test "a second start in the same directory is refused" {
	run broker_start "$A"
	[ "$status" -ne 0 ]
	[[ "$output" = *"there is one already"* ]]
}

@test "a broker that cannot start says why, and leaves nothing behind" {
	run env BROKER_EXTRA_CONF='no_such_setting = 1' sh -c \
		". '$BROKER_LIB/broker.sh' && broker_start '$B'"
	[ "$status" -ne 0 ]
	[[ "$output" = *no_such_setting* ]]
	run broker_running "$B"
	[ "$status" -ne 0 ]
}

@test "stop ends every process of the broker" {
	second
	read -r pid _ <"$SECOND/pid"
	broker_stop "$SECOND"
	[ ! -e "$SECOND/pid" ]
	[ ! -e "/proc/$pid/exe" ]
	nobody_uses()
	{
		! grep -lz "^HOME=$SECOND/home$" /proc/[0-9]*/environ
	}
	wait_until 5 nobody_uses
}

@test "TLS: our CA and name are accepted, another CA or name is not" {
	BROKER_TLS_REQUIRE_CERT=false broker_start_tls "$B"
	tls=(--port "$BROKER_TLS_PORT" --tls-ca)
	amqp "${tls[@]}" "$BROKER_TLS_CA" declare q
	amqp --host localhost "${tls[@]}" "$BROKER_TLS_CA" length q
	run amqp "${tls[@]}" "$BROKER_TLS_OTHER_CA" length q
	[ "$status" -eq 69 ]
	[[ "$output" = *"certificate verify failed"* ]]
	run amqp --tls-name elsewhere.example "${tls[@]}" "$BROKER_TLS_CA" length q
	[ "$status" -eq 69 ]
	[[ "$output" = *elsewhere.example* ]]
}

@test "TLS: a client certificate can be required" {
	BROKER_TLS_REQUIRE_CERT=true broker_start_tls "$B"
	run amqp --port "$BROKER_TLS_PORT" --tls-ca "$BROKER_TLS_CA" declare q
	[ "$status" -eq 69 ]
	amqp --port "$BROKER_TLS_PORT" --tls-ca "$BROKER_TLS_CA" --tls-cert "$BROKER_TLS_CERT" \
		--tls-key "$BROKER_TLS_KEY" declare q
}
