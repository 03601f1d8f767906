# shellcheck shell=sh disable=SC2034,SC2154 # variables of the scripts that source this
# What the verbs that are scripts share. Sourced; `verb` and `usage` (a function) are the sourcing script's.

# Started by hand, without bin/skynet: the programs are beside the script, links not followed.
if [ -z "${SKYNET_LIBEXEC:-}" ]; then
	SKYNET_LIBEXEC=$(cd "$(dirname "$0")" && pwd)
fi
if [ -z "${SKYNET_TEMPLATES:-}" ]; then
	SKYNET_TEMPLATES=$SKYNET_LIBEXEC/sv-templates
	[ -d "$SKYNET_TEMPLATES" ] || SKYNET_TEMPLATES=/usr/share/skynet/sv-templates
fi
SKYNET_HOME=${SKYNET_HOME:-/}
export SKYNET_LIBEXEC SKYNET_TEMPLATES SKYNET_HOME

# --home DIR may stand behind the verb as well. The loop is here, in the file: it changes the sourcing script's arguments.
_left=$#
while [ "$_left" -gt 0 ]; do
	case $1 in
	--home)
		if [ "$_left" -lt 2 ] || [ -z "$2" ]; then
			echo "skynet $verb: --home needs a directory" >&2
			exit 64
		fi
		SKYNET_HOME=$2
		shift
		_left=$((_left - 1))
		;;
	--home=?*) SKYNET_HOME=${1#--home=} ;;
	--home=)
		echo "skynet $verb: --home needs a directory" >&2
		exit 64
		;;
	*) set -- "$@" "$1" ;;
	esac
	shift
	_left=$((_left - 1))
done
[ ! -d "$SKYNET_HOME" ] || SKYNET_HOME=$(cd "$SKYNET_HOME" && pwd -P) # absolute: it holds after every cd

say()
{
	echo "skynet $verb: $*" >&2
}

# die CODE TEXT…
die()
{
	_code=$1
	shift
	say "$@"
	exit "$_code"
}

wrong_usage()
{
	say "$@"
	echo "Try: skynet $verb --help" >&2
	exit 64
}

# want_value OPTION COUNT: an option that needs one more argument has it.
want_value()
{
	[ "$2" -ge 2 ] || wrong_usage "$1 needs a value"
}

config()
{
	"$SKYNET_LIBEXEC/skynet-config" "$@"
}

# The directories of the home: sv, service, … as shell variables home_sv, home_service, …
load_home()
{
	home_etc=$(config home.etc)
	home_sv=$(config home.sv)
	home_service=$(config home.service)
	home_spool=$(config home.spool)
	home_lib=$(config home.lib)
	home_log=$(config home.log)
	home_run=$(config home.run)
	home_system=$(config home.system)
	[ "$home_system" = no ] || umask 022 # others, the participants, must get at what root makes here
}

# For what changes or runs something, before it is half done.
must_own_home()
{
	[ ! -e "$home_sv" ] || [ -w "$home_sv" ] || die 77 "not permitted: $home_sv belongs to another user"
}

# Is there a service of this name: a participant, or amqp-spool?
service_exists()
{
	case $1 in
	amqp-spool) [ -e "$home_sv/skynet-amqp-spool/run" ] ;;
	*) valid_name "$1" && [ -e "$home_sv/skynet-$1/config.exo" ] ;;
	esac
}

valid_name()
{
	case $1 in
	'' | amqp-spool | [!A-Za-z0-9]* | *[!A-Za-z0-9_.-]*) return 1 ;;
	esac
	[ ${#1} -le 64 ]
}

# Names of the participants, one a line, sorted.
participants()
{
	for _dir in "$home_sv"/skynet-*; do
		_name=${_dir#"$home_sv"/skynet-}
		! valid_name "$_name" || [ ! -e "$_dir/config.exo" ] || echo "$_name"
	done
}

# 'text' so that a shell reads it back.
quote()
{
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

# Does a process other than ours keep this lock file locked? The directory may be a participant's, and we root: no pipe
# is waited for, no link followed, nothing made.
locked()
{
	[ -f "$1" ] && [ ! -L "$1" ] || return 1
	! (flock -n -s 9) 9<"$1" 2>/dev/null && [ -f "$1" ]
}

# Does a runsv serve this service directory?
supervised()
{
	sv status "$home_sv/skynet-$1" >/dev/null 2>&1
}

# As a service takes its lock it may meet our look at it, and waits that moment.
is_running()
{
	locked "$home_run/$1/lock"
}

# The bridge reads which participants there are.
tell_bridge()
{
	! supervised amqp-spool || sv hup "$home_sv/skynet-amqp-spool" >/dev/null || say 'amqp-spool could not be told'
}
