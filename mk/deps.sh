#!/bin/sh
# deps.sh build|check|lint: installs what is missing with the system's package manager when run as root, else prints
# the command. Prints nothing when nothing is missing. GNU parallel makes the tests faster; they run without it, too.
# shellcheck disable=SC2034 # the lists are used by name
set -eu

what=${1:-build}

debian_build='gcc make pkg-config libc6-dev librabbitmq-dev libcjson-dev libinih-dev libev-dev libacl1-dev libsqlite3-dev libssl-dev nettle-dev
	uthash-dev python3 python3-dev runit procps'
debian_check='rabbitmq-server bats libcmocka-dev python3-pytest python3-pika strace openssl jq'
debian_fast='parallel'
debian_lint='clang-format clang-tidy cppcheck shellcheck mandoc'

suse_build='gcc make pkg-config librabbitmq-devel cJSON-devel libinih-devel libev-devel libacl-devel sqlite3-devel libopenssl-devel libnettle-devel
	uthash-devel python3 python3-devel runit procps'
suse_check='rabbitmq-server bats libcmocka-devel python3-pytest python3-pika strace openssl jq'
suse_fast='gnu_parallel'
suse_lint='clang clang-tools cppcheck ShellCheck mandoc'

wanted() {
	case $what in
	build) eval "echo \"\$${1}_build\"" ;;
	check) eval "echo \"\$${1}_build \$${1}_check\"" ;;
	lint) eval "echo \"\$${1}_build \$${1}_check \$${1}_lint\"" ;;
	*) echo "usage: deps.sh build|check|lint" >&2; exit 64 ;;
	esac
}

if command -v dpkg-query >/dev/null 2>&1; then
	has_package() {
		case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null || :) in
		*' installed') ;;
		*) return 1 ;;
		esac
	}
	system=debian
	install='apt-get install -y --no-install-recommends'
elif command -v zypper >/dev/null 2>&1; then
	has_package() { rpm -q "$1" >/dev/null 2>&1; }
	system=suse
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

missing_of() {
	for p in $1; do
		has_package "$p" || printf ' %s' "$p"
	done
}

missing=$(missing_of "$(wanted $system)")
fast=
[ "$what" = build ] || fast=$(missing_of "$(eval "echo \$${system}_fast")")
[ -n "$missing$fast" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	[ -z "$fast" ] || printf 'The tests are faster with this. As root:\n    %s%s\n' "$install" "$fast" >&2
	[ -n "$missing" ] || exit 0
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
# install_packages PACKAGE…
install_packages() {
	echo "installing: $*" >&2
	if [ "$system" = debian ]; then
		# shellcheck disable=SC2086
		$install "$@" >/dev/null 2>&1 || { apt-get update >&2 && $install "$@" >&2; }
	else
		# shellcheck disable=SC2086
		$install "$@" >&2
	fi
}
# shellcheck disable=SC2086 # words
[ -z "$missing" ] || install_packages $missing
# shellcheck disable=SC2086 # words
[ -z "$fast" ] || install_packages $fast || echo "without$fast the tests run one after the other" >&2
