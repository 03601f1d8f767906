# shellcheck shell=sh
# wait.sh - wait for a condition instead of sleeping. Sourced by tests.
#
#   wait_until SECONDS CMD [ARG...]
#
# Runs CMD at once and then every 50 ms until it succeeds. Returns 0 then, 1 when
# SECONDS (a whole number) have passed; the message names the command, its last
# exit status and the last thing it printed. CMD may be a function; it runs in a
# subshell, so it cannot set variables of the caller.

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
	_wait_now_cs
	_wait_deadline=$((_wait_now + _wait_limit_s * 100))
	while :; do
		_wait_status=0
		_wait_output=$("$@" 2>&1) || _wait_status=$?
		[ "$_wait_status" -ne 0 ] || return 0
		_wait_now_cs
		[ "$_wait_now" -lt "$_wait_deadline" ] || break
		sleep 0.05
	done
	printf 'wait_until: still failing after %s s: %s (exit %s)%s\n' "$_wait_limit_s" "$*" \
		"$_wait_status" "${_wait_output:+, it printed: $_wait_output}" >&2
	return 1
}
