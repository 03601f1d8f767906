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
	export -f make_home as uid_of ids_of could_hold "${1?}"
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
