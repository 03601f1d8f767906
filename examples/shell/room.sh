#!/bin/sh
# A participant in shell: how much room is there where it runs?
#
# Reply: field `free_mb`. The result is true if there are at least as many MB as the param `min_mb` says (default 100).
# The workitem comes on standard input and, to be read again, as $SKYNET_WORKITEM_FILE; what is printed is the reply, what
# goes to standard error is logged, and the exit code is the result.
set -eu

min_mb=$(sed -n 's/.*"min_mb":\([0-9][0-9]*\).*/\1/p' "$SKYNET_WORKITEM_FILE")
free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
echo "$free_mb MB are free, ${min_mb:-100} are wanted" >&2
# One line, as the engine sends it, and "fields" is its first object: fields are never empty there.
sed "s/\"fields\": *{/&\"free_mb\":$free_mb,/"
[ "$free_mb" -ge "${min_mb:-100}" ]
