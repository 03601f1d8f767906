# shellcheck shell=sh disable=SC2154 # variables of the scripts that source this
# Services by name through runit: for start, stop, restart, reload, enable, disable, uninstall, local.
# runit's answers are not believed (`sv` gives up early, `force-stop` exits 1 when it killed): skynet-wait judges.

# parse_names "$@": --all, --timeout S, --help and names. Sets names (one a line) and timeout ('' if not given).
parse_names()
{
	names='' timeout='' all=no
	while [ $# -gt 0 ]; do
		case $1 in
		--all) all=yes ;;
		-t | --timeout)
			want_value "$1" $#
			timeout=$2
			shift
			;;
		--timeout=*) timeout=${1#*=} ;;
		-h | --help)
			usage
			exit 0
			;;
		-*) wrong_usage "$1: no such option" ;;
		*) add_name "$1" ;;
		esac
		shift
	done
	case $timeout in
	*[!0-9]*) wrong_usage "--timeout $timeout: no number of seconds" ;;
	esac
	[ "$all" = no ] || [ -z "$names" ] || wrong_usage '--all or names, not both'
	load_home
	if [ "$all" = yes ]; then
		names=$(participants)
	elif [ -z "$names" ]; then
		wrong_usage 'which? NAME… or --all'
	fi
	for name in $names; do
		service_exists "$name" || die 4 "$name: no such participant"
		permitted "$name" || die 77 "$name: not permitted (its service belongs to another user)"
	done
}

add_name()
{
	case $1 in
	'' | *[!A-Za-z0-9_.-]*) die 4 "'$1': no such participant" ;;
	esac
	names="$names${names:+ }$1"
}

permitted()
{
	[ -w "$home_sv/skynet-$1" ]
}

# run_sv ARGUMENT… : sv on all of $names at once. What it says is kept from the screen: it is not the truth.
run_sv()
{
	for _n in $names; do
		set -- "$@" "$home_sv/skynet-$_n"
	done
	sv "$@" >/dev/null 2>&1 || :
}

# The largest value of a [participant] key of all $names, FALLBACK for the bridge and where it cannot be read.
largest()
{
	_max=0
	for _n in $names; do
		_value=$2
		[ "$_n" = amqp-spool ] || _value=$(config -p "$_n" "participant.$1" 2>/dev/null) || _value=$2
		[ "$_value" -le "$_max" ] || _max=$_value
	done
	echo "$_max"
}

enable_service()
{
	mkdir -p "$home_service"
	ln -sfn "$home_sv/skynet-$1" "$home_service/skynet-$1"
}

# runsvdir looks for new services every 5 s.
await_supervised()
{
	_tries=140
	until supervised "$1"; do
		_tries=$((_tries - 1))
		[ "$_tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

runsvdir_missing()
{
	[ "$home_system" = no ] && ! locked "$home_run/runsvdir.lock" && ! supervised "$1"
}

# Wants $names up, without waiting for them.
begin_start()
{
	started=$(date -u +%Y-%m-%dT%H:%M:%S)
	for name in $names; do
		if runsvdir_missing "$name"; then
			die 69 "nothing serves $home_service (skynet local up)"
		fi
		# Of an earlier run: it says nothing about this one. What a participant put there instead stops nobody else.
		is_running "$name" || rm -f "$home_run/$name/status" 2>/dev/null || :
		enable_service "$name"
	done
	for name in $names; do
		await_supervised "$name" || die 69 "$name: no runsvdir serves $home_service"
	done
	run_sv up
	for name in $names; do
		rm -f "$home_sv/skynet-$name/down" # not before: runsv would start it as well, at a moment of its own
	done
}

# finish_start SECONDS: 0 when all are ready, else why not, with the end of the log.
finish_start()
{
	_deadline=$(($(date +%s) + $1)) _result=0
	for name in $names; do
		_left=$((_deadline - $(date +%s)))
		[ "$_left" -ge 0 ] || _left=0
		_code=0
		"$SKYNET_LIBEXEC/skynet-wait" --timeout "$_left" "$name" || _code=$?
		[ "$_code" -ne 0 ] || continue
		"$SKYNET_LIBEXEC/skynet-log" --since "${started:-2m}" -n 20 "$name" 2>/dev/null | sed 's/^/    /' >&2 || :
		[ "$_result" -eq 1 ] || _result=$_code
	done
	return "$_result"
}

# end_runsv NAME: of a service that is down and not enabled. Waits: a runsv that has been told to exit and is told `up`
# before it is gone has closed its log pipe already and fails to start ./run for ever.
end_runsv()
{
	! supervised "$1" || sv exit "$home_sv/skynet-$1" >/dev/null || :
	_tries=200
	while supervised "$1" || locked "$home_log/$1/lock"; do
		_tries=$((_tries - 1))
		[ "$_tries" -gt 0 ] || die 124 "$1: its runsv does not end"
		sleep 0.05
	done
}

# stop_services SECONDS: asks, waits, then kills. 0 when nothing of $names is left.
stop_services()
{
	[ -n "$names" ] || return 0
	run_sv -w "$1" down
	_alive=
	for _n in $names; do
		! is_running "$_n" || _alive="$_alive $_n"
	done
	if [ -n "$_alive" ]; then
		say "killed after $1 s:$_alive"
		run_sv -w 1 force-stop
	fi
	# shellcheck disable=SC2086 # names have no blanks
	"$SKYNET_LIBEXEC/skynet-wait" --timeout 10 --for down $names
}

# Seconds that stopping $names may take: grace and a little.
stop_time()
{
	echo "${timeout:-$(($(largest grace 30) + 5))}"
}
