#!/bin/sh
# A SkyNET in one directory, of one user: makes it, starts it, stops it.
set -eu
verb=local
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/template.sh"
. "$lib/service.sh"
. "$lib/shutdown.sh"

usage()
{
	echo 'usage: skynet local init DIR [--amqp HOST:PORT] [--vhost V] [--user U] [--password-file F]
       skynet [--home DIR] local up [--foreground] [--timeout S]
       skynet [--home DIR] local down [--timeout S]
       skynet [--home DIR] local status [--json]

A SkyNET that lives in one directory and belongs to one user.

  init    makes DIR a home: etc/skynet.conf with every key commented, directories, the bridge. Without
          --amqp it is brokerless. On a home it changes nothing but what is missing.
  up      starts what is enabled, and returns when the bridge and the participants run; with --foreground
          it stays and ends all on Ctrl-C.
  down    stops participants, then the bridge, then the supervisor; returns when no process is left.
  status  is it up? and skynet status.

  -t, --timeout S  up: wait at most S seconds for each to be ready; down: kill after S seconds

Exit code: 0; 1 a participant did not come up; 3 (status) not up; 64 usage; 78 DIR is no home;
124 timeout.'
}

need_home()
{
	[ "$SKYNET_HOME" != / ] || wrong_usage 'which home? skynet --home DIR local …'
	[ -e "$SKYNET_HOME/etc/skynet.conf" ] || die 78 "$SKYNET_HOME is no home (skynet local init $SKYNET_HOME)"
	load_home
}

is_up()
{
	locked "$home_run/runsvdir.lock"
}

# The pid of the supervisor, '' if there is none. Only where nobody holds the lock is it looked for: that takes a while.
find_supervisor()
{
	if is_up; then
		cat "$home_run/runsvdir.pid"
	else
		lost_supervisor
	fi
}

# Sets dir, host, vhost, user, password.
parse_init()
{
	dir='' host='' vhost='' user='' password=''
	while [ $# -gt 0 ]; do
		case $1 in
		--amqp=* | --vhost=* | --user=* | --password-file=*)
			arg=$1
			shift
			set -- "${arg%%=*}" "${arg#*=}" "$@"
			;;
		esac
		case $1 in
		--amqp | --vhost | --user | --password-file) want_value "$1" $# ;;
		esac
		case $1 in
		--amqp) host=$2 && shift ;;
		--vhost) vhost=$2 && shift ;;
		--user) user=$2 && shift ;;
		--password-file) password=$2 && shift ;;
		-?*) wrong_usage "$1: no such option" ;;
		*)
			[ -z "$dir" ] || wrong_usage 'one DIR at a time'
			dir=$1
			;;
		esac
		shift
	done
	[ -n "$dir" ] || [ "$SKYNET_HOME" = / ] || dir=$SKYNET_HOME
	[ -n "$dir" ] || wrong_usage 'which DIR?'
}

write_conf()
{
	set -- "boss.amqp_host=${host:-none}"
	[ -z "$vhost" ] || set -- "$@" "boss.amqp_vhost=$vhost"
	[ -z "$user" ] || set -- "$@" "boss.amqp_user=$user"
	[ -z "$password" ] || set -- "$@" "boss.amqp_password_file=$password"
	echo '# SkyNET: the configuration of this home. What is commented out shows the default.'
	config --template "$@"
}

init()
{
	parse_init "$@"
	if [ -n "$password" ]; then
		[ -r "$password" ] || die 77 "$password: cannot be read"
		password=$(cd "$(dirname "$password")" && pwd -P)/$(basename "$password")
	fi
	if [ -e "$dir" ] && [ ! -d "$dir" ]; then
		die 78 "$dir: not a directory"
	fi
	if [ -d "$dir" ] && [ ! -e "$dir/etc/skynet.conf" ] && [ -n "$(ls -A "$dir")" ]; then
		die 78 "$dir is neither empty nor a home"
	fi
	mkdir -p "$dir" || die 78 "$dir cannot become a home"
	SKYNET_HOME=$(cd "$dir" && pwd -P)
	[ "$SKYNET_HOME" != / ] || die 78 '/ is the system home'
	load_home
	must_own_home
	mkdir -p "$home_etc" "$home_sv" "$home_service" "$home_spool" "$home_lib" "$home_log" "$home_run"
	if [ ! -e "$home_etc/skynet.conf" ]; then
		write_conf >"$home_etc/skynet.conf.new"
		mv "$home_etc/skynet.conf.new" "$home_etc/skynet.conf"
	elif [ -n "$host$vhost$user$password" ]; then
		say "$home_etc/skynet.conf is kept as it is"
	fi
	make_bridge
}

# Enabled services that are to run: no file `down`.
wanted()
{
	for _n in amqp-spool $(participants); do
		if [ -e "$home_service/skynet-$_n/run" ] && [ ! -e "$home_service/skynet-$_n/down" ]; then
			echo "$_n"
		fi
	done
}

up_failed()
{
	say "the supervisor did not start: $home_log/runsvdir.log"
	tail -n 5 "$home_log/runsvdir.log" >&2 || :
	exit 1
}

# Waits for what is wanted; the bridge need only run: a broker may come later.
await_wanted()
{
	_result=0
	for _n in $(wanted); do
		await_supervised "$_n" || up_failed
	done
	names=$(wanted | grep -vx amqp-spool) || :
	if wanted | grep -qx amqp-spool; then
		"$SKYNET_LIBEXEC/skynet-wait" --for up --timeout "${timeout:-15}" amqp-spool || _result=$?
	fi
	[ -z "$names" ] || finish_start "${timeout:-$(($(largest start_limit 60) + 15))}" || _result=$?
	return "$_result"
}

up()
{
	foreground=no
	_n=$#
	while [ "$_n" -gt 0 ]; do # it may stand anywhere among the others
		if [ "$1" = --foreground ]; then foreground=yes; else set -- "$@" "$1"; fi
		shift
		_n=$((_n - 1))
	done
	parse_timeout "$@"
	need_home
	must_own_home
	if is_up; then
		say "$SKYNET_HOME is up already (skynet start: what is down)"
		exit 0
	fi
	supervisor=$(find_supervisor)
	[ -z "$supervisor" ] ||
		die 75 "its supervisor runs (pid $supervisor), but $home_run was taken from under it (skynet local down)"
	[ -z "$(left_over)" ] || die 75 "processes of an earlier start are alive: $(left_over) (skynet local down)"
	mkdir -p "$home_log" "$home_run" "$home_service"
	for _n in $(wanted); do
		rm -f "$home_run/$_n/status" # of an earlier start
	done
	[ "$foreground" = no ] || exec "$lib/supervise.sh"
	setsid env --default-signal=INT,QUIT "$lib/supervise.sh" </dev/null >>"$home_log/runsvdir.log" 2>&1 &
	_tries=100
	until is_up; do
		_tries=$((_tries - 1))
		[ "$_tries" -gt 0 ] || up_failed
		sleep 0.05
	done
	await_wanted
}

parse_timeout()
{
	timeout=
	case ${1:-} in
	'') return ;;
	-t | --timeout)
		want_value "$1" $#
		timeout=$2
		;;
	--timeout=*) timeout=${1#*=} ;;
	*) wrong_usage "$1: not known here" ;;
	esac
	case $timeout in
	'' | *[!0-9]*) wrong_usage "--timeout $timeout: no number of seconds" ;;
	esac
}

lives() # PID; in a container often nobody buries who has ended
{
	kill -0 "$1" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

down()
{
	parse_timeout "$@"
	need_home
	must_own_home
	supervisor=$(find_supervisor)
	if [ -z "$supervisor" ] && [ -z "$(left_over)" ]; then
		exit 0
	fi
	code=0
	if [ -n "$supervisor" ] && [ -n "$timeout" ]; then # our time, not the supervisor's
		names="$(supervised_participants)"
		stop_services "$timeout" || code=$?
	fi
	if [ -n "$supervisor" ]; then
		kill -TERM "$supervisor"
		_tries=$((20 * ($(names=$(participants) && largest grace 30) + 60)))
		while lives "$supervisor"; do
			_tries=$((_tries - 1))
			[ "$_tries" -gt 0 ] || die 124 'the supervisor does not end'
			sleep 0.05
		done
		say_left || code=$?
	else # its supervisor is gone
		shut_down '' || code=$?
	fi
	exit "$code"
}

show_status()
{
	need_home
	code=0
	if is_up; then
		say "$SKYNET_HOME is up (pid $(cat "$home_run/runsvdir.pid"))"
	elif [ -n "$(lost_supervisor)" ]; then
		say "$SKYNET_HOME is up (pid $(lost_supervisor)), but $home_run was taken from under it (skynet local down)"
	else
		say "$SKYNET_HOME is not up"
		code=3
	fi
	"$SKYNET_LIBEXEC/skynet-status" "$@" || code=$?
	exit "$code"
}

[ $# -gt 0 ] || wrong_usage 'init, up, down or status?'
what=$1
shift
for arg in "$what" "$@"; do
	case $arg in
	-h | --help)
		usage
		exit 0
		;;
	esac
done
case $what in
init) init "$@" ;;
up) up "$@" ;;
down) down "$@" ;;
status) show_status "$@" ;;
*) wrong_usage "$what: neither init, up, down nor status" ;;
esac
