#!/bin/sh
# Prints the version: the one that was installed, or the source tree's.
set -eu
verb=version
lib=$(dirname "$(readlink -f "$0")")/lib
. "$lib/common.sh"

case ${1:-} in
'' | --json) ;;
-h | --help)
	echo 'usage: skynet version [--json]'
	exit 0
	;;
*) wrong_usage "$1: not known here" ;;
esac
here=$(dirname "$lib")
version=
if [ -r "$here/version" ]; then
	read -r version <"$here/version"
elif [ -r "$here/../GNUmakefile" ]; then
	version=$(sed -n 's/^VERSION *:= *//p' "$here/../GNUmakefile")
fi
if [ "${1:-}" = --json ]; then
	printf '{"version":"%s"}\n' "${version:-unknown}"
else
	echo "skynet ${version:-unknown}"
fi
