# shellcheck shell=sh
# wait.sh - wait for a condition instead of sleeping. Sourced by tests.
#
#   wait_until SECONDS CMD [ARG...]   until CMD succeeds; fewer than 20 SECONDS are taken for 20
#   within SECONDS CMD [ARG...]       the same, with no such patience
#
# Both run CMD at once and then every 50 ms, after 2 s every 200 ms, until it succeeds. They return 0
# then, 1 when SECONDS (a whole number) have passed; the message names the command, its last exit
# status and the last thing it printed. CMD may be a function; it runs in a subshell, so it cannot
# set variables of the caller.
#
# No test is to fail because others use the machine, so wait_until has patience; less than 30 s, or
# a rescan would find what was to be seen at once. `within` is for what promises a time, or where
# something slower would hide that it was not this.

# Hundredths of a second since boot, without starting a process.
_wait_now_cs()
{
	read -r _wait_up _ </proc/uptime
	_wait_now=${_wait_up%.*}${_wait_up#*.}
}

wait_until()
{
	_wait_limit_s=$1
	shift
	[ "$_wait_limit_s" -ge 20 ] || _wait_limit_s=20
	within "$_wait_limit_s" "$@"
}

within()
{
	_wait_limit_s=$1
	shift
	_wait_now_cs
	_wait_deadline=$((_wait_now + _wait_limit_s * 100))
	_wait_often=$((_wait_now + 200))
	while :; do
		_wait_status=0
		_wait_output=$("$@" 2>&1) || _wait_status=$?
		[ "$_wait_status" -ne 0 ] || return 0
		_wait_now_cs
		[ "$_wait_now" -lt "$_wait_deadline" ] || break
		if [ "$_wait_now" -lt "$_wait_often" ]; then sleep 0.05; else sleep 0.2; fi
	done
	printf 'still failing after %s s: %s (exit %s)%s\n' "$_wait_limit_s" "$*" \
		"$_wait_status" "${_wait_output:+, it printed: $_wait_output}" >&2
	return 1
}
