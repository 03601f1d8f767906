#!/bin/sh
# Makes a participant: its service directory, its spool, its log directory.
set -eu
verb=install
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"
. "$lib/template.sh"

usage()
{
	echo 'usage: skynet install [OPTIONS] CODE
       skynet install --bridge

Makes a participant that runs CODE: Python (.py), a shared library (.so), or any executable. It is then known,
enabled and down: (skynet start NAME) starts it, now and at every boot.

  -n, --name NAME       its name (default: the name of CODE without .py, .so or .sh)
  -q, --queue QUEUE     the AMQP queue (default: NAME)
  -r, --regexp REGEXP   the names that process definitions use for it, for (skynet register)
  -u, --user USER       who runs the code (needed in the system home, ignored in a local one)
  -i, --instances N     workers (default: 1)
      --copy            copy CODE instead of linking to it
      --no-enable       make it, but leave it out of the directory that runsvdir serves
      --force           write an existing NAME anew; its spool and log stay
      --bridge          write the service of amqp-spool anew, nothing else

Exit code: 0; 1 NAME exists; 64 usage, or a bad NAME; 77 CODE cannot be read or executed; 78 a value is wrong.'
}

name='' queue='' regexp='' user='' instances='' copy=no enable=yes force=no bridge=no code=''
while [ $# -gt 0 ]; do
	case $1 in
	--name=* | --queue=* | --regexp=* | --user=* | --instances=*)
		arg=$1
		shift
		set -- "${arg%%=*}" "${arg#*=}" "$@"
		;;
	esac
	case $1 in
	-n | --name | -q | --queue | -r | --regexp | -u | --user | -i | --instances) want_value "$1" $# ;;
	esac
	case $1 in
	-n | --name)
		[ -n "$2" ] || wrong_usage "$1 needs a name"
		name=$2
		shift
		;;
	-q | --queue) queue=$2 && shift ;;
	-r | --regexp) regexp=$2 && shift ;;
	-u | --user) user=$2 && shift ;;
	-i | --instances) instances=$2 && shift ;;
	--copy) copy=yes ;;
	--no-enable) enable=no ;;
	--force) force=yes ;;
	--bridge) bridge=yes ;;
	-h | --help)
		usage
		exit 0
		;;
	-?*) wrong_usage "$1: no such option" ;;
	*)
		[ -z "$code" ] || wrong_usage 'one CODE at a time'
		code=$1
		;;
	esac
	shift
done
load_home
if [ "$home_system" = yes ] && [ "$(id -u)" != 0 ]; then
	die 77 'not permitted: the system home is root'\''s'
fi
[ "$home_system" = yes ] || [ -d "$home_etc" ] || die 78 "$SKYNET_HOME is no home (skynet local init $SKYNET_HOME)"
must_own_home
if [ "$bridge" = yes ]; then
	make_bridge
	exit
fi

# The code's own name is kept: it is imported by that.
check_code()
{
	[ -n "$code" ] || wrong_usage 'which CODE?'
	[ -e "$code" ] || die 1 "$code: no such file"
	[ -f "$code" ] || die 1 "$code: not a file"
	base=$(basename "$code")
	case $base in
	*.py | *.so) need=-r which=read ;;
	*) need=-x which=executed ;;
	esac
	test "$need" "$code" || die 77 "$code: cannot be $which"
	code=$(cd "$(dirname "$code")" && pwd -P)/$base
	case $base in
	run | finish | check | exo | log | supervise | down | config.exo | service.env | *.new | .*)
		die 64 "$base: a service directory has a file of this name, choose another for the code"
		;;
	esac
	if [ "$home_system" = yes ] && [ "$copy" = no ] && [ -n "$user" ]; then
		chpst -u "$user" test "$need" "$code" 2>/dev/null || die 77 "$code: cannot be $which by $user"
	fi
}

# mkspool would find out as well, but with half a participant made. A number is no name.
check_users()
{
	[ -n "$user" ] || wrong_usage 'the system home needs --user'
	for _u in "$user" "$(config skynet.user)" "$(config skynet.log_user)"; do
		[ "$(getent passwd "$_u" | cut -d : -f 1)" = "$_u" ] || die 78 "user $_u: no such user (adduser --system --group $_u)"
	done
}

check_name()
{
	case $base in
	*.py | *.so | *.sh) : "${name:=${base%.*}}" ;;
	*) : "${name:=$base}" ;;
	esac
	valid_name "$name" ||
		die 64 "'$name' is no name: 1 to 64 of A-Z a-z 0-9 _ . -, first a letter or digit, not amqp-spool"
	dir=$home_sv/skynet-$name
	if [ -e "$dir/config.exo" ] && [ "$force" = no ]; then
		die 1 "$name exists already (--force writes it anew)"
	fi
}

setting()
{
	case $2 in
	'') ;;
	*'
'*) die 64 "$1: more than one line" ;;
	*) printf '%s = %s\n' "$1" "$2" ;;
	esac
}

write_config()
{
	echo '# Configuration of this participant; skynet config --template shows all keys.'
	echo '[participant]'
	setting code "$base"
	setting queue "$queue"
	setting regexp "$regexp"
	setting user "$user"
	setting instances "$instances"
}

# What root alone could read, the participant must read; others need not.
give_to_user()
{
	chgrp "$(id -g "$user")" "$1"
	chmod g=rX "$1"
}

# Everything is made aside and moved into place, config.exo last: with that the participant exists.
make_service()
{
	mkdir -p "$home_sv"
	new=$home_sv/.new-$name.$$
	trap 'rm -rf "$new"' EXIT
	trap 'exit 1' INT TERM HUP
	mkdir -p "$new"
	write_config >"$new/config.exo"
	complaints=$(config --check-file "$new/config.exo" 2>&1) ||
		die 78 "$(echo "$complaints" | sed 's/.*config\.exo:[0-9]*: //')"
	known=no
	[ ! -d "$dir" ] || known=yes
	mkdir -p "$dir"
	[ "$known" = yes ] || : >"$dir/down"
	fill_service "$dir" participant "$name"
	ln -sfn "$SKYNET_LIBEXEC/exo" "$dir/exo"
	if [ "$copy" = yes ]; then
		cp "$code" "$new/code"
		[ "$home_system" = no ] || give_to_user "$new/code"
		mv -f "$new/code" "$dir/$base"
	else
		ln -sfn "$code" "$new/code"
		mv -fT "$new/code" "$dir/$base"
	fi
	mv -f "$new/config.exo" "$dir/config.exo"
}

[ "$home_system" = no ] || check_users
check_code
check_name
make_service
"$SKYNET_LIBEXEC/skynet-mkspool" "$name"
"$SKYNET_LIBEXEC/skynet-prepare" --log "$name" >/dev/null
"$SKYNET_LIBEXEC/skynet-prepare" "$name" >/dev/null
if [ "$enable" = yes ]; then
	mkdir -p "$home_service"
	ln -sfn "$dir" "$home_service/skynet-$name"
fi
if service_exists amqp-spool; then
	tell_bridge
else
	make_bridge
	say 'amqp-spool is installed as well: the bridge that every participant needs'
fi
if is_running "$name"; then
	say "$name is written anew; what runs is as before (skynet restart $name)"
else
	say "$name is installed (skynet start $name)"
fi
