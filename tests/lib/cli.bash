# shellcheck shell=bash disable=SC2034,SC2154
# The command line of the build under test. Sourced by .bats files.
#
#   cli_setup    skynet on PATH, no home chosen; sets ROOT and CODE, a directory for participants' code; sources wait.sh
#   has TEXT     it stands in $output
#   kill_pids    for teardown: ends what the test put into $pids

cli_setup()
{
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export SKYNET_LIBEXEC=$ROOT/${SKYNET_BUILD:-build-test}/libexec/skynet
	export PATH=$ROOT/bin:$PATH
	unset SKYNET_HOME NO_COLOR SKYNET_TEMPLATES
	# shellcheck source=tests/lib/wait.sh
	. "$ROOT/tests/lib/wait.sh"
	CODE=$BATS_TEST_TMPDIR/code
	mkdir -p "$CODE"
	pids=
}

has()
{
	[[ $output == *"$1"* ]] || {
		echo "no '$1' in: $output"
		return 1
	}
}

kill_pids()
{
	local pid
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
}
