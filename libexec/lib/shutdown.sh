# shellcheck shell=sh disable=SC2034,SC2154 # variables of the scripts that source this
# The orderly end of a local home: participants, then the bridge, then runsvdir with every runsv.

# Services that a runsv serves, the bridge not among them.
supervised_participants()
{
	for _name in $(participants); do
		! supervised "$_name" || echo "$_name"
	done
}

# shut_down PID-OF-RUNSVDIR|'': 0 when no process is left.
shut_down()
{
	names=$(supervised_participants)
	_result=0
	stop_services "$(stop_time)" || _result=$?
	names=amqp-spool
	if supervised amqp-spool; then
		stop_services "$(stop_time)" || _result=$?
	fi
	[ -z "$1" ] || kill -HUP "$1" 2>/dev/null || :
	for _n in $(participants) amqp-spool; do
		[ -n "$1" ] || ! supervised "$_n" || sv exit "$home_sv/skynet-$_n" >/dev/null || :
	done
	_tries=200
	while [ -n "$(left_over)" ]; do
		_tries=$((_tries - 1))
		[ "$_tries" -gt 0 ] || break
		sleep 0.05
	done
	say_left || _result=$?
	return "$_result"
}

# 124 if something is left: that is said.
say_left()
{
	_left=$(left_over)
	[ -n "$_left" ] || return 0
	say "still alive: $_left (svlogd does not end while the disk of its log is full)"
	return 124
}

# The supervisor (supervise.sh) of this home by its child, the runsvdir of our service/, or nothing. For when run/, and in it
# the lock and the pid, was taken away from under it.
lost_supervisor()
{
	for _pid in $(grep -lzxF -e "$home_service" /proc/[0-9]*/cmdline 2>/dev/null | tr -dc '0-9\n'); do
		if grep -qsz '^runsvdir$' "/proc/$_pid/cmdline"; then # else it was our grep, and is gone
			_pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$_pid/status" 2>/dev/null)
			[ -z "$_pid" ] || [ "$_pid" -le 1 ] || echo "$_pid"
		fi
	done | head -n 1
}

# What still has a runsv, a process or a svlogd.
left_over()
{
	for _n in $(participants) amqp-spool; do
		if supervised "$_n" || is_running "$_n" || locked "$home_log/$_n/lock"; then
			echo "$_n"
		fi
	done
}
