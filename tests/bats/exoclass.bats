#!/usr/bin/env bats
# Other exoskeletons (exo_class) under the real exo, and what a participant's loggers say in its log.
# shellcheck disable=SC1091,SC2030,SC2031,SC2154

setup()
{
	. "$BATS_TEST_DIRNAME/../lib/exo.sh"
	exo_setup
}

teardown() { exo_teardown; }

conf() { printf '%s\n' "$@" >>"$CONF"; }
# code: the participant's code is standard input.
code() { rm -f "$H/sv/skynet-P1/code.py"; cat >"$H/sv/skynet-P1/code.py"; }

@test "a class in the code itself: the example that caches" {
	ln -sf "$ROOT/examples/caching/caching.py" "$H/sv/skynet-P1/caching.py"
	conf 'code = caching.py' 'exo_class = caching:CachingExo'
	start_ready
	a=$(put 'params={"host":"127.0.0.1"}' wfid=20261122-aaa)
	b=$(put 'params={"host":"127.0.0.1"}' wfid=20261122-bbb)
	wait_until 10 has_result "$b"
	[ "$(field "$b" '["fields"]["addresses"]')" = "['127.0.0.1']" ]
	cmp <(field "$a" '["fields"]') <(field "$b" '["fields"]')
	wait_until 5 logged '^\[20261122-bbb 0_0_0\] INFO known: '
	[ "$(grep -c 'looking up' "$LOG")" -eq 1 ]
}

@test "a class beside the code: every step is its own, stop too" {
	cat >"$H/sv/skynet-P1/steps.py" <<'END'
from SkyNET import Exo
class Steps(Exo):
    def configure(self):
        super().configure()
        self.log.info("step configure")
    def load_handler(self):
        self.log.info("step load_handler")
        return super().load_handler()
    def start(self):
        self.log.info("step start")
        super().start()
    def handle(self, wid):
        if wid.fields.refuse:
            raise PermissionError("refused by the exoskeleton")
        super().handle(wid)
        wid.fields.by = "Steps"
    def stop(self):
        self.log.info("step stop")
        super().stop()
END
	conf 'exo_class = steps:Steps'
	start_ready
	a=$(put n=1)
	b=$(put n=2 refuse=true)
	wait_until 10 has_result "$b"
	[ "$(field "$a" '["fields"]["by"]')" = Steps ]
	[ "$(field "$b" '["error"]["message"]')" = 'PermissionError: refused by the exoskeleton' ]
	stop_exo
	[ "$code" -eq 0 ]
	grep -o 'step [a-z_]*' "$LOG" >"$S/steps"
	printf 'step %s\n' configure load_handler start stop | cmp - "$S/steps"
}

@test "a class that is none: back-off with the reason" {
	start() { printf '[participant]\nexo_class = %s\n' "$1" >"$H/etc/P1.conf"; start_exo; wait_until 10 state_is backoff; status reason; stop_exo; }
	echo 'NotOne = dict' >"$H/sv/skynet-P1/other.py"
	echo '1 +' >"$H/sv/skynet-P1/broken.py"
	[[ $(start missing_module:X) == *"ModuleNotFoundError: No module named 'missing_module'"* ]]
	[[ $(start other:NotOne) == *'TypeError: exo_class other:NotOne is no subclass of SkyNET.Exo'* ]]
	[[ $(start other:Missing) == *"AttributeError: module 'other' has no attribute 'Missing'"* ]]
	[[ $(start other) == *"ValueError: exo_class is module:Class, not 'other'"* ]]
	[[ $(start broken:X) == *'SyntaxError'* ]]
}

# --- logging ---

@test "lines of any logger and of any thread of the handler carry its workitem" {
	code <<'END'
import logging, threading
module_log = logging.getLogger("of.a.module")
class ParticipantHandler:
    def handle_wi(self, wid):
        self.log.info("from the handler")
        module_log.info("from a module")
        logging.getLogger().warning("from the root")
        def aside():
            self.log.info("from a thread")
            module_log.info("from a module in a thread")
            print("printed by a thread", end="")
        t = threading.Thread(target=aside)
        t.start()
        t.join()
END
	start_ready
	a=$(put wfid=20261122-aaa)
	b=$(put wfid=20261122-bbb)
	wait_until 10 has_result "$b"
	stop_exo
	for w in aaa bbb; do
		for line in 'INFO from the handler' 'INFO of.a.module: from a module' 'WARNING root: from the root' \
			'INFO from a thread' 'INFO of.a.module: from a module in a thread' 'printed by a thread'; do
			[ "$(grep -cxF "[20261122-$w 0_0_0] $line" "$LOG")" -eq 1 ] || { echo "$w: $line"; false; }
		done
	done
	[ -n "$a" ]
}
