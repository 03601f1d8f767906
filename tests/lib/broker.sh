# shellcheck shell=sh
# broker.sh - a private, real RabbitMQ for one test file or bench run. Sourced.
#
#   broker_start DIR                 a new broker, all its files under DIR (3 to 4 s)
#   broker_start_tls DIR             the same, with a TLS listener beside the plain one
#   broker_stop DIR                  orderly stop: clients get connection.close (1 s)
#   broker_kill DIR                  kill -9 (10 ms: the better teardown)
#   broker_restart DIR               stop if running, start again: same ports, same data
#   broker_env DIR                   set BROKER_* for DIR again (after another broker_start)
#   broker_running DIR               is it?
#   broker_ctl DIR ARG...            rabbitmqctl (0.8 s; the functions below take 0.3 s)
#   broker_close_connections DIR [REASON]   close all client connections (320 CONNECTION_FORCED)
#   broker_queue_length DIR QUEUE [messages|messages_ready|messages_unacknowledged]
#   broker_block DIR on|off          memory alarm: publishers get connection.blocked
#
# Sets and exports BROKER_HOST BROKER_PORT BROKER_USER BROKER_PASS BROKER_VHOST, and for
# TLS BROKER_TLS_PORT BROKER_TLS_CA BROKER_TLS_CERT BROKER_TLS_KEY BROKER_TLS_OTHER_CA.
#
# Settings that may be in the environment of broker_start:
#   BROKER_VHOST        default boss
#   BROKER_PASSWORD     default another one for each broker
#   BROKER_SCHEDULERS   Erlang schedulers, default 1
#   BROKER_MEMORY       memory alarm at, default 512MB
#   BROKER_EXTRA_CONF   more lines for rabbitmq.conf
#   BROKER_TLS_REQUIRE_CERT   true: clients must show a certificate; default false
#   BROKER_TLS_NAMES    the server certificate's names, default DNS:localhost,IP:127.0.0.1
#
# No epmd is started: the node listens for rabbitmqctl on a port that both are told. Any
# number of brokers, of any users, can run at once. Every broker that was started must be
# stopped by its test (teardown_file): nothing else ends it.

BROKER_PYTHON=${BROKER_PYTHON:-/usr/bin/python3}
# A sourced file cannot ask sh where it is: set BROKER_LIB, or be bats, or stand at the top.
if [ -z "${BROKER_LIB:-}" ]; then
	if [ -n "${BATS_TEST_DIRNAME:-}" ]; then
		BROKER_LIB=$BATS_TEST_DIRNAME/../lib
	else
		BROKER_LIB=tests/lib
	fi
fi
BROKER_LIB=$(cd "$BROKER_LIB" && pwd)
# shellcheck source=tests/lib/wait.sh
. "$BROKER_LIB/wait.sh"

_broker_fail()
{
	printf 'broker: %s\n' "$*" >&2
	return 1
}

broker_env()
{
	[ -f "$1/env" ] || _broker_fail "no broker in $1" || return
	# shellcheck source=/dev/null
	. "$1/env"
	export BROKER_HOST BROKER_PORT BROKER_USER BROKER_PASS BROKER_VHOST BROKER_TLS_PORT \
		BROKER_TLS_CA BROKER_TLS_CERT BROKER_TLS_KEY BROKER_TLS_OTHER_CA
}

# Runs a RabbitMQ or Erlang program in the broker's own environment, and only that.
_broker_exec()
{
	_broker_dir=$1
	shift
	exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 \
		HOME="$_broker_dir/home" \
		ERL_EPMD_PORT=1 ERL_CRASH_DUMP="$_broker_dir/log/erl_crash.dump" \
		RABBITMQ_SCRIPTS_DIR="$_broker_dir/rabbitmq/sbin" \
		RABBITMQ_CONF_ENV_FILE=/dev/null \
		RABBITMQ_NODENAME=broker@localhost \
		RABBITMQ_CONFIG_FILE="$_broker_dir/rabbitmq.conf" \
		RABBITMQ_CONFIG_FILES="$_broker_dir/conf.d/*.conf" \
		RABBITMQ_ADVANCED_CONFIG_FILE="$_broker_dir/advanced.config" \
		RABBITMQ_ENABLED_PLUGINS_FILE="$_broker_dir/enabled_plugins" \
		RABBITMQ_MNESIA_BASE="$_broker_dir/mnesia" \
		RABBITMQ_LOG_BASE="$_broker_dir/log" \
		RABBITMQ_PID_FILE="$_broker_dir/beam.pid" \
		RABBITMQ_DIST_PORT="$_broker_dist_port" \
		"$@"
}

# _broker_start_time PID: when it started, in clock ticks; fails for a dead one or a zombie.
_broker_start_time()
{
	# The process may go away between any two steps: that is an answer, not an error.
	{ _broker_stat=$(cat "/proc/$1/stat"); } 2>/dev/null || return 1
	# The program's name, in parentheses, may hold blanks: count the fields after it.
	# shellcheck disable=SC2086
	set -- ${_broker_stat##*) }
	[ "$1" != Z ] && shift 19 && printf '%s\n' "$1"
}

# Sets _broker_pid; fails when it is not ours any more (a pid can be used again).
broker_running()
{
	_broker_pid='' _broker_born=''
	[ -f "$1/pid" ] || return 1
	read -r _broker_pid _broker_born <"$1/pid" || return 1
	[ -n "$_broker_born" ] && [ "$(_broker_start_time "$_broker_pid")" = "$_broker_born" ]
}

_broker_gone()
{
	! broker_running "$1"
}

# Starts the program and waits for a login. 1: it died or took too long.
_broker_launch()
{
	(
		# detached: the wrapper execs erl, so that $! is the broker itself.
		# bats waits until nobody holds its fd 3.
		# shellcheck disable=SC2030
		_broker_dist_port=$(cat "$1/dist_port")
		_broker_exec "$1" detached=1 \
			RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-sname broker@localhost -start_epmd false \
				-erl_epmd_port $_broker_dist_port \
				-kernel inet_dist_use_interface {127,0,0,1} \
				+S ${BROKER_SCHEDULERS:-1}:${BROKER_SCHEDULERS:-1} +SDio 2" \
			"$1/rabbitmq/sbin/rabbitmq-server" </dev/null >>"$1/log/stdout" 2>&1 3>&- &
		printf '%s %s\n' "$!" "$(_broker_start_time "$!")" >"$1/pid"
	)
	read -r _broker_pid _ <"$1/pid"
	"$BROKER_PYTHON" "$BROKER_LIB/amqp.py" wait --pid "$_broker_pid" --timeout 60
}

_broker_create()
{
	_broker_tls=$2
	! broker_running "$1" || _broker_fail "there is one already in $1" || return
	mkdir -p "$1" || return
	_broker_new=$(cd "$1" && pwd) || return
	# Somebody may take the ports that were free a moment ago: try again with others.
	for _broker_try in 1 2 3; do
		"$BROKER_PYTHON" "$BROKER_LIB/broker_setup.py" ${_broker_tls:+--tls} \
			--vhost "${BROKER_VHOST:-boss}" --memory "${BROKER_MEMORY:-512MB}" \
			"$_broker_new" || return
		broker_env "$_broker_new" || return
		! _broker_launch "$_broker_new" || return 0
		broker_kill "$_broker_new"
		grep -q eaddrinuse "$_broker_new/log/"* || break
	done
	# The first errors say why; what follows is Erlang unwinding.
	grep -m 10 '\[error\]' "$_broker_new/log/stdout" >&2 || cat "$_broker_new/log/stdout" >&2
	_broker_fail "no broker could be started in $_broker_new (try $_broker_try); see log/stdout there"
}

broker_start()
{
	_broker_create "$1" ''
}

broker_start_tls()
{
	_broker_create "$1" tls
}

broker_stop()
{
	if broker_running "$1"; then
		kill -TERM "$_broker_pid" 2>/dev/null || :
		if ! wait_until 30 _broker_gone "$1"; then
			broker_kill "$1"
			return 1
		fi
	fi
	rm -f "$1/pid"
}

broker_kill()
{
	if broker_running "$1"; then
		kill -KILL "$_broker_pid" 2>/dev/null || :
		wait_until 10 _broker_gone "$1" || return
	fi
	rm -f "$1/pid"
}

broker_restart()
{
	broker_stop "$1" && broker_env "$1" || return
	_broker_launch "$1" || _broker_fail "the broker in $1 did not come up again"
}

broker_ctl()
(
	_broker_at=$1
	shift
	_broker_dist_port=$(cat "$_broker_at/dist_port") || exit
	_broker_exec "$_broker_at" \
		RABBITMQ_CTL_ERL_ARGS="$(_broker_client_args "$_broker_dist_port")" \
		ERL_FLAGS="-start_epmd false" \
		"$_broker_at/rabbitmq/sbin/rabbitmqctl" --node broker@localhost "$@" 3>&-
)

# What lets an Erlang client reach the node at PORT without epmd, without listening itself.
_broker_client_args()
{
	printf '%s' "-start_epmd false -erl_epmd_port $1 -dist_listen false +S 1:1"
}

# _broker_call DIR EXPRESSION ARG...: an Erlang expression, evaluated on the broker with A
# bound to the list of ARGs as binaries. Prints a list or a binary as text. False or an
# exception is a failure.
_broker_call()
(
	_broker_at=$1
	_broker_expression=$2
	shift 2
	_broker_dist_port=$(cat "$_broker_at/dist_port") || exit
	# shellcheck disable=SC2046
	_broker_exec "$_broker_at" erl -noinput -boot start_clean -hidden -sname undefined \
		$(_broker_client_args "$_broker_dist_port") -eval '
		N = broker@localhost,
		[Source | Arguments] = init:get_plain_arguments(),
		A = [unicode:characters_to_binary(X) || X <- Arguments],
		{ok, Tokens, _} = erl_scan:string(Source),
		{ok, Forms} = erl_parse:parse_exprs(Tokens),
		Ok = net_kernel:connect_node(N) andalso
			rpc:call(N, erl_eval, exprs, [Forms, [{(list_to_atom("A")), A}]]),
		case Ok of
			{value, ok, _} -> halt(0);
			{value, Text, _} when is_list(Text); is_binary(Text) ->
				io:format("~ts~n", [Text]), halt(0);
			Other -> io:format(standard_error, "broker: ~tp~n", [Other]), halt(1)
		end.' -extra "$_broker_expression" "$@" 3>&-
)

broker_close_connections()
{
	_broker_call "$1" '
		[Reason] = A,
		Gone = fun(Pid) -> not is_process_alive(Pid) end,
		Pids = rabbit_networking:local_connections(),
		%% One that ends by itself meanwhile is closed, too.
		[(catch rabbit_networking:close_connection(Pid, binary_to_list(Reason))) || Pid <- Pids],
		Wait = fun Wait(0) -> {still_open, Pids};
			   Wait(Left) ->
				case lists:all(Gone, Pids) of
					true -> ok;
					false -> timer:sleep(20), Wait(Left - 1)
				end
		       end,
		Wait(500).' "${2:-closed by the test}"
}

broker_queue_length()
{
	# Asked of the queue itself: the numbers of rabbitmqctl may be seconds old.
	_broker_call "$1" '
		[Vhost, Queue, Item] = A,
		{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(Vhost, queue, Queue)),
		[{_, Length}] = rabbit_amqqueue:info(Q, [binary_to_existing_atom(Item)]),
		integer_to_list(Length).' "$BROKER_VHOST" "$2" "${3:-messages}"
}

broker_block()
{
	case $2 in
	on | off) ;;
	*) _broker_fail "broker_block: on or off, not '$2'" || return ;;
	esac
	# Returns when the alarm is in force: the broker polls its memory otherwise.
	_broker_call "$1" '
		[Wanted, Limit] = A,
		vm_memory_monitor:set_vm_memory_high_watermark(
			case Wanted of
				<<"on">> -> {absolute, 1};
				<<"off">> -> {absolute, binary_to_list(Limit)}
			end),
		Wait = fun Wait(0) -> {alarms, rabbit_alarm:get_alarms()};
			   Wait(Left) ->
				case {Wanted, rabbit_alarm:get_alarms()} of
					{<<"on">>, [_ | _]} -> ok;
					{<<"off">>, []} -> ok;
					_ -> timer:sleep(20), Wait(Left - 1)
				end
		       end,
		Wait(500).' "$2" "${BROKER_MEMORY:-512MB}"
}
