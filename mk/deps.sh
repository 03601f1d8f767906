#!/bin/sh
# deps.sh build|check|lint: installs what is missing with the system's package manager when run as root, else prints
# the command. Prints nothing when nothing is missing.
# shellcheck disable=SC2034 # the lists are used by name
set -eu

what=${1:-build}

debian_build='gcc make pkg-config libc6-dev librabbitmq-dev libcjson-dev libinih-dev libev-dev libsqlite3-dev libssl-dev nettle-dev
	uthash-dev python3 python3-dev runit procps'
debian_check='rabbitmq-server bats libcmocka-dev python3-pytest python3-pika strace openssl jq'
debian_lint='clang-format clang-tidy cppcheck shellcheck mandoc'

suse_build='gcc make pkg-config librabbitmq-devel cJSON-devel libinih-devel libev-devel sqlite3-devel libopenssl-devel libnettle-devel
	uthash-devel python3 python3-devel runit procps'
suse_check='rabbitmq-server bats libcmocka-devel python3-pytest python3-pika strace openssl jq'
suse_lint='clang clang-tools cppcheck ShellCheck mandoc'

wanted() {
	case $what in
	build) eval "echo \"\$${1}_build\"" ;;
	check) eval "echo \"\$${1}_build \$${1}_check\"" ;;
	lint) eval "echo \"\$${1}_build \$${1}_check \$${1}_lint\"" ;;
	*) echo "usage: deps.sh build|check|lint" >&2; exit 64 ;;
	esac
}

missing=
if command -v dpkg-query >/dev/null 2>&1; then
	for p in $(wanted debian); do
		case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || :) in
		*' installed') ;;
		*) missing="$missing $p" ;;
		esac
	done
	install='apt-get install -y --no-install-recommends'
elif command -v zypper >/dev/null 2>&1; then
	for p in $(wanted suse); do
		rpm -q "$p" >/dev/null 2>&1 || missing="$missing $p"
	done
	install='zypper --non-interactive install --no-recommends'
else
	echo 'deps: neither dpkg nor zypper here; see HACKING.md for what SkyNET needs' >&2
	exit 0
fi

# A root straight from debootstrap has no /etc/hosts; the tests' broker is called broker@localhost.
if [ "$what" != build ] && ! getent hosts localhost >/dev/null; then
	if [ "$(id -u)" = 0 ]; then
		echo 'localhost has no address here: adding it to /etc/hosts' >&2
		echo '127.0.0.1 localhost' >>/etc/hosts
	else
		printf 'localhost has no address here. As root:\n    echo 127.0.0.1 localhost >>/etc/hosts\n' >&2
	fi
fi

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	printf 'These packages are missing. As root:\n    %s%s\n' "$install" "$missing" >&2
	exit 69
fi

# No daemon is to start by being installed: the tests run their own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	made=1
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
echo "installing:$missing" >&2
if command -v apt-get >/dev/null 2>&1; then
	# shellcheck disable=SC2086
	$install $missing >/dev/null 2>&1 || { apt-get update >&2 && $install $missing >&2; }
else
	# shellcheck disable=SC2086
	$install $missing >&2
fi
