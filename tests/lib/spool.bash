# shellcheck shell=bash
# Spools by hand, for tests that need no daemon. Sourced by .bats files.
#
#   spool_home              a local home in $BATS_TEST_TMPDIR, exported as SKYNET_HOME, with the tools on PATH
#   spool_participant P1    a participant whose code is on stdin (none: the smallest there is)
#   spool_name OPTIONS…     the newest name that spool-ls shows
#   spool_claim P1 NAME     what a worker does: a lock on open/NAME, until spool_drop NAME or the end of this shell
#   spool_drop [NAME]       it is in nobody's hand any more (default: the last one)
#   spool_note P1 NAME N    what exo notes: attempt N in cur/
#   spool_record NAME OUTCOME REPLY   a record of a journal on stdout
#   spool_result P1 NAME OUTCOME REPLY   a result in work/result, in the journal $SPOOL_JOURNAL
#   spool_finish P1 NAME done|failed OUTCOME REPLY   what the bridge leaves after retiring, in done/ in a journal of that name
#   workitem FIELDS [WFID]  a workitem on stdout
#   put [FIELDS] [WFID]     hands one in to P1 and prints its name

spool_home()
{
	SPOOL_TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	case ${SKYNET_BUILD:=build-test} in
	/*) SPOOL_BIN=$SKYNET_BUILD/libexec/skynet ;;
	*) SPOOL_BIN=$SPOOL_TREE/$SKYNET_BUILD/libexec/skynet ;;
	esac
	SPOOL_DATA=$SPOOL_TREE/tests/data/workitems
	SPOOL_JOURNAL=20261122T105443.865116-4711.results
	SKYNET_HOME=$BATS_TEST_TMPDIR/home
	PATH=$SPOOL_BIN:$PATH
	export SKYNET_HOME PATH SPOOL_BIN SPOOL_DATA
	unset SKYNET_LIBEXEC
	mkdir -p "$SKYNET_HOME"/etc "$SKYNET_HOME"/sv "$SKYNET_HOME"/service "$SKYNET_HOME"/spool "$SKYNET_HOME"/lib \
		"$SKYNET_HOME"/log "$SKYNET_HOME"/run
}

spool_participant()
{
	local sv=$SKYNET_HOME/sv/skynet-$1
	mkdir -p "$sv" "$SKYNET_HOME/run/$1"
	: >"$sv/config.exo"
	if [ -t 0 ] || ! cat >"$sv/code.py" || [ ! -s "$sv/code.py" ]; then
		printf '%s\n' 'class ParticipantHandler:' '    def handle_wi(self, wid):' '        wid.result = True' >"$sv/code.py"
	fi
	skynet-mkspool "$1"
	# shellcheck disable=SC2034 # for the tests
	S=$SKYNET_HOME/spool/$1
}

spool_name()
{
	spool-ls --json -n1 "$@" | jq -r .name
}

declare -gA SPOOL_LOCKS=()

spool_claim()
{
	local fd
	exec {fd}<"$SKYNET_HOME/spool/$1/open/$2"
	flock -n "$fd" || return
	SPOOL_LOCKS[$2]=$fd
	SPOOL_LAST=$2
}

spool_drop()
{
	local name=${1-$SPOOL_LAST} fd
	fd=${SPOOL_LOCKS[$name]}
	flock -u "$fd" # children may have the descriptor as well
	exec {fd}<&-
	unset "SPOOL_LOCKS[$name]"
}

spool_note()
{
	ln -s "../../open/$2" "$SKYNET_HOME/spool/$1/work/cur/$2,a$3"
}

spool_record()
{
	printf 'outcome: %s\nattempt: 2\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:44.115116Z\n' "$2"
	printf 'send: reply\nlength: %s\nsha256: %s\nworkitem: %s\n\n%s\n' "$(printf %s "$3" | wc -c)" \
		"$(printf %s "$3" | sha256sum | cut -d' ' -f1)" "$1" "$3"
}

spool_result()
{
	spool_record "$2" "$3" "$4" >>"$SKYNET_HOME/spool/$1/work/result/$SPOOL_JOURNAL"
}

# Where the files of a finished one are: spool_bucket NAME.
spool_bucket()
{
	printf '%s/%s' "${1:0:8}" "${1:9:4}"
}

spool_finish()
{
	local s=$SKYNET_HOME/spool/$1 dir
	dir=$s/$3/$(spool_bucket "$2")
	mkdir -p "$dir"
	case $3 in
	done) spool_record "$2" "$4" "$5" >>"$dir/$SPOOL_JOURNAL" ;;
	*) spool_record "$2" "$4" "$5" | head -c -1 >"$dir/$2.result" ;;
	esac
	mv "$s/open/$2" "$dir/$2.json"
	rm -f "$s/work/cur/$2",a*
}

workitem()
{
	printf '{"fields":%s,"fei":{"engine_id":"engine","wfid":"%s","subid":"abc","expid":"0_1"},"participant_name":"p1"}' \
		"$1" "${2:-20261122-1052-test}"
}

put()
{
	workitem "${1:-"{}"}" "${2-}" | spool-put P1
}
