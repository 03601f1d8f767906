#!/bin/sh
# asan.sh DIR: runs each unit test of a sanitizer build, a line for each; fails on any finding.
set -u
bad=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
count=0
for test in "$1"/tests/test_*; do
	case $test in *.d | *.o | *'*') continue ;; esac
	count=$((count + 1))
	"$test" >"$out" 2>&1 </dev/null
	code=$?
	if [ "$code" -eq 0 ] && ! grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$out"; then
		echo "ok    asan ${test##*/}"
	else
		echo "FAIL  asan ${test##*/} (exit $code)"
		sed 's/^/      /' "$out" | tail -n 60
		bad=1
	fi
done
[ "$count" -gt 0 ] || { echo "asan: no tests in $1/tests" && bad=1; }
exit "$bad"
