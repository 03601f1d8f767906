# shellcheck shell=bash disable=SC1091,SC2119,SC2120
# broker_file.bash - for a test file whose tests share one real broker and have homes of their own. Sourced at its top: it
# defines what bats calls. A file with more to do defines that again, with these:
#
#   setup_file       file_broker [tls]   the broker, plain or (broker_start_tls) with TLS as well
#   teardown_file    file_broker_end
#   setup            file_home           home_setup and home_broker
#   teardown         home_cleanup
. "$BATS_TEST_DIRNAME/../lib/home.sh"

file_broker()
{
	home_setup
	"broker_start${1:+_$1}" "$BATS_FILE_TMPDIR/broker"
}

file_broker_end()
{
	home_setup
	broker_kill "$BATS_FILE_TMPDIR/broker"
}

file_home()
{
	home_setup
	home_broker
}

setup_file() { file_broker; }
teardown_file() { file_broker_end; }
setup() { file_home; }
teardown() { home_cleanup; }
