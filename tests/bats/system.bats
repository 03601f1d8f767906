#!/usr/bin/env bats
# The system home as its sysadmin has it: real uids, a real runsvdir on /etc/service, in namespaces of its own. Brokerless.
# The bridge is daemon, logs are bin's, participants are nobody and games.
# shellcheck disable=SC1091,SC2016,SC2030,SC2031,SC2154 # what bats sets, and its subshells
bats_require_minimum_version 1.5.0

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/cli.bash"
	cli_setup
	[ "$(id -u)" -eq 0 ] || skip 'needs root'
	unshare -mpf true || skip 'needs namespaces'
	export ROOT
}

# The programs are copied to where everybody may read them.
make_home()
{
	set -eu
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/up /mnt/work
	mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/up,workdir=/mnt/work /etc
	for dir in /run /var/spool /var/lib /var/log; do mount -t tmpfs tmpfs "$dir"; done
	rm -rf /etc/service /etc/skynet /etc/boss
	mkdir -p /etc/service /etc/skynet
	cp -rL "$SKYNET_LIBEXEC" /mnt/libexec
	cp -r "$ROOT/libexec/lib" /mnt/libexec/
	chmod -R go+rX /mnt
	export SKYNET_LIBEXEC=/mnt/libexec
	printf '[skynet]\nuser = daemon\nlog_user = bin\n[boss]\namqp_host = none\n' >/etc/skynet/skynet.conf
	cat >/mnt/who.py <<-'PY'
		import os
		class ParticipantHandler:
		    def handle_wi(self, wid):
		        wid.fields.uid = [os.getuid(), os.getgid(), os.getgroups()]
		        print("worked")
		        wid.result = True
	PY
	printf '{"fei":{"engine_id":"e","wfid":"w1","subid":"s","expid":"0"},"fields":{}}' >/mnt/item
	runsvdir -P /etc/service >/mnt/runsvdir.log 2>&1 &
}

# as USER:GROUP COMMAND…
as() { chpst -u "$@"; }
uid_of() { skynet put --wait=60 "$1" /mnt/item 2>/dev/null | jq -c .fields.uid; }
ids_of() { echo "[$(id -u "$1"),$(id -g "$1"),[$(id -g "$1")]]"; }
could_hold() { ! as games:games sh -c ': <"$0"' "$1" 2>/dev/null || echo "games could hold $1"; } # flock needs no more than that

inside() # FUNCTION: as root of a home of its own; a supervisor that is left ends with its namespace
{
	export -f make_home as uid_of ids_of could_hold let_in may must state_of counts_of "${1?}"
	run unshare -mpf --mount-proc bash -c "make_home; $1" 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
}

locks_and_records()
{
	skynet install -n P1 -u nobody /mnt/who.py
	skynet start P1 amqp-spool
	[ "$(uid_of P1)" = "$(ids_of nobody)" ]
	skynet wait --for idle --timeout 60 P1
	echo "P1 $(as games:games "$SKYNET_LIBEXEC/skynet-status" --json P1 | jq -r '.[0].state')"
	could_hold /run/skynet/P1/lock
	could_hold /run/skynet/amqp-spool/lock
	as daemon:daemon flock -n -s /run/skynet/P1/lock true || [ $? -eq 1 ] # the bridge may look
	! as games:games cat /var/lib/skynet/history.db >/dev/null 2>&1 || echo 'games read the history'
	as games:adm cat /var/lib/skynet/history.db >/dev/null
	as games:adm grep -q worked /var/log/skynet/P1/current
	! as nobody:nogroup ls /var/log/skynet/P1 >/dev/null 2>&1 || echo 'nobody read a log'
	stat -c '%n %U:%G %a' /var/log/skynet/P1/current /run/skynet/P1/lock /run/skynet/amqp-spool/lock
	skynet stop P1
	echo "P1 $(as games:games "$SKYNET_LIBEXEC/skynet-status" --json P1 | jq -r '.[0].state')"
	skynet uninstall --purge P1
	find /run/skynet /var/spool/skynet /var/log/skynet /etc/skynet /etc/service -name '*P1*'
}

@test "locks, the history and logs: nobody else holds or reads them, and everybody sees what runs" {
	inside locks_and_records
	[ "$(grep -v '^skynet' <<<"$output")" = 'P1 ready
/var/log/skynet/P1/current bin:adm 644
/run/skynet/P1/lock nobody:daemon 640
/run/skynet/amqp-spool/lock daemon:daemon 640
P1 down' ]
}

another_user()
{
	skynet install -n P1 -u nobody /mnt/who.py
	skynet start P1 amqp-spool
	[ "$(uid_of P1)" = "$(ids_of nobody)" ]
	chmod 600 /mnt/who.py
	skynet install --force --copy -n P1 -u games /mnt/who.py
	stat -c '%U:%G %a' /etc/skynet/sv/skynet-P1/who.py
	skynet restart --timeout 60 P1
	[ "$(uid_of P1)" = "$(ids_of games)" ]
	ln /mnt/who.py /mnt/victim
	skynet stop P1
	as games:games sh -c 'cd /run/skynet/P1 && rm lock && ln -s /mnt/victim lock'
	"$SKYNET_LIBEXEC/skynet-prepare" P1 >/dev/null 2>&1 || :
	stat -c '%U:%G %a' /mnt/victim /run/skynet/P1/lock
	skynet stop amqp-spool
}

@test "another user for a participant: its code, its lock and its spool are that one's" {
	inside another_user
	has 'P1 is written anew; what runs is as before (skynet restart P1)'
	[ "$(grep -v '^skynet' <<<"$output")" = 'root:games 640
root:root 600
games:daemon 640' ]
}

# let_in DIR UID: by an ACL, as the kernel has it; adm may read as ever. Fails where the file system has none.
let_in()
{
	python3 - "$@" <<-'PY' 2>/dev/null
		import os, struct, sys
		acl = struct.pack("<I", 2)
		for tag, bits, who in ((1, 7, -1), (2, 5, int(sys.argv[2])), (4, 5, -1), (8, 5, 4), (16, 5, -1), (32, 0, -1)):
		    acl += struct.pack("<HHi", tag, bits, who)
		os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
	PY
}


may() { as "$1" sh -c "$2" >/dev/null 2>&1 && echo "$1 may: $2" || :; }
must() { as "$1" sh -c "$2" >/dev/null 2>&1 || echo "$1 cannot: $2"; }
state_of() { as "$1" "$SKYNET_LIBEXEC/spool-ls" --json P1 2>/dev/null | jq -r .state; }
counts_of() { as "$1" "$SKYNET_LIBEXEC/skynet-status" --json P1 | jq -r '.[0] | "\(.new) \(.cur) \(.failed)"'; }

spool_rights()
{
	skynet install -n P1 -u nobody /mnt/who.py
	skynet install -n P2 -u games /mnt/who.py
	skynet put P1 /mnt/item >/dev/null 2>&1
	cd /
	open=/var/spool/skynet/P1/open
	name=$(ls "$open")
	stat -c '%U:%G %a' "$open" "$open/$name"
	must nobody:nogroup "ls $open"
	must nobody:nogroup "cat $open/$name"
	must nobody:nogroup "flock -n $open/$name true"
	must daemon:daemon "flock -n $open/$name true && touch $open/x && rm $open/x" # the bridge
	for user in nobody:nogroup sys:adm; do
		for verb in "echo x >>$open/$name" "touch $open/x" "mkdir $open/x" "ln $open/$name $open/x" "ln -s $name $open/x" \
			"mv $open/$name $open/x" "mv $open/$name /var/spool/skynet/P1/work/cur/x" "rm $open/$name" "chmod 666 $open/$name" \
			"chmod 777 $open" "touch -d yesterday $open/$name" "truncate -s 0 $open/$name" "mv $open /var/spool/skynet/P1/x"; do
			may "$user" "$verb"
		done
	done
	for verb in "ls $open" "cat $open/$name" "flock -n $open/$name true" "cd $open" "ls $open/.." "cd /var/spool/skynet/P1/work"; do
		may games:games "$verb"
	done
	echo "participant: $(counts_of nobody:nogroup); another: $(counts_of games:games)"
}

@test "open/: its participant reads and locks, another does not, and nobody but the bridge changes anything" {
	inside spool_rights
	[ "$(grep -v '^skynet' <<<"$output")" = 'daemon:nogroup 2750
daemon:nogroup 644
participant: 1 0 null; another: null null null' ]
}

adm_reads()
{
	mkdir /var/spool/probe
	let_in /var/spool/probe 1 || { echo 'no ACLs' && return; }
	skynet install -n P1 -u nobody /mnt/who.py
	skynet put P1 /mnt/item >/dev/null 2>&1
	cd /
	open=/var/spool/skynet/P1/open
	check=$SKYNET_LIBEXEC/spool-check
	name=$(ls "$open")
	must sys:adm "cat $open/$name"
	echo "$(state_of sys:adm), $(counts_of sys:adm)"
	exec 9<"$open/$name"
	flock 9
	echo "$(state_of sys:adm), $(counts_of sys:adm)"
	flock -u 9
	skynet start P1
	must sys:adm "$SKYNET_LIBEXEC/skynet-query P1" # exo answers it
	skynet stop P1
	"$check" P1
	let_in "$open" "$(id -u games)"
	must games:games "ls $open"
	"$check" P1 | cut -d: -f1 || :
	"$check" --repair P1 >/dev/null
	may games:games "ls $open"
	python3 -c 'import os, sys; os.removexattr(sys.argv[1], "system.posix_acl_access")' "$open"
	may sys:adm "ls $open"
	"$check" P1 | cut -d: -f1 || :
	"$check" --repair P1 >/dev/null
	must sys:adm "ls $open"
	"$check" P1
}

@test "open/: an ACL lets adm read what waits and what is in hand, and spool-check looks after it" {
	inside adm_reads
	[[ $output != *'no ACLs'* ]] || skip 'the file system has no ACLs'
	[ "$(grep -v '^skynet' <<<"$output")" = 'new, 1 0 0
cur, 0 1 0
0 findings, 0 repaired
layout-acl /var/spool/skynet/P1/open
1 findings, 0 repaired
layout-acl /var/spool/skynet/P1/open
1 findings, 0 repaired
0 findings, 0 repaired' ]
}
