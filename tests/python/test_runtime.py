"""Worker: loading a handler, running it, its output, and its children."""

import io
import json
import logging
import os
import subprocess
import sys

import pytest
from conftest import ROOT, body_of
from RuoteAMQP import Workitem, launcher
from SkyNET._runtime import Worker

NOTHING = "def handle_wi(self, wid): pass"


def fields_of(result):
    return json.loads(result[2])["fields"]


# -- load


def test_order_of_construct_inject_start(worker):
    made = worker(
        """
        steps = []
        def __init__(self):
            self.steps.append(("init", hasattr(self, "log"), self.send_to_engine))
        def send_to_engine(self, wi): "placeholder"
        def handle_lifecycle_control(self, ctrl):
            assert self.send_to_engine.__doc__ != "placeholder"
            self.steps.append((ctrl.message, self.log.name, ctrl.config.get("a", "x")))
        """,
        config="[a]\nx = 1\n",
    )
    first, second = made._exo.handler.steps
    assert first[:2] == ("init", False)
    assert first[2].__doc__ == "placeholder"
    assert second == ("start", "p1", "1")


def test_the_codes_directory_is_first_on_the_path(worker, tmp_path):
    (tmp_path / "beside_it.py").write_text("x = 5\n")
    made = worker("x = beside_it.x", before="import beside_it, sys\nfirst = sys.path[0]")
    assert made._exo.handler.x == 5
    assert sys.modules["p1_code"].first == str(tmp_path)


def test_modules_beside_the_file_that_is_linked_to_are_found_last(tmp_path):
    origin, service = tmp_path / "origin", tmp_path / "service"
    origin.mkdir()
    service.mkdir()
    (origin / "beside_the_origin.py").write_text("x = 6\n")
    (origin / "colorsys.py").write_text("x = 'not the real one'\n")
    (origin / "code.py").write_text(
        "import sys, beside_the_origin, colorsys\n"
        "class ParticipantHandler:\n"
        "    x, y, path = beside_the_origin.x, colorsys.rgb_to_hls, list(sys.path)\n"
        "    " + NOTHING
    )
    (service / "code.py").symlink_to(origin / "code.py")
    made = Worker("p1", str(service / "code.py"), [], lambda kind, body: None)
    made.load()
    handler = made._exo.handler
    assert handler.x == 6
    assert (handler.path[0], handler.path[-1]) == (str(service), str(origin))


def test_imported_by_file_name_and_picklable(worker):
    made = worker(NOTHING)
    assert type(made._exo.handler).__module__ == "p1_code"
    assert sys.modules["p1_code"].ParticipantHandler is type(made._exo.handler)


def test_a_participant_named_like_a_module_does_not_replace_it(tmp_path):
    code = tmp_path / "json.py"
    code.write_text("class ParticipantHandler:\n    " + NOTHING)
    made = Worker("p1", str(code), [], lambda kind, body: None)
    made.load()
    assert sys.modules["json"] is json
    assert made.run(body_of(x=1))[0] == "ok"


def test_any_file_name_will_do(tmp_path):
    code = tmp_path / "my-code.v2.py"
    code.write_text("class ParticipantHandler:\n    " + NOTHING)
    Worker("p1", str(code), [], lambda kind, body: None).load()


@pytest.mark.parametrize(
    "code, error",
    [
        ("x = 1", ImportError),
        ("import no_such_module_at_all", ImportError),
        ("class ParticipantHandler: pass\nsyntax error", SyntaxError),
        ("raise SystemExit(3)", SystemExit),
        ("class ParticipantHandler:\n def __init__(self): raise KeyError(1)", KeyError),
        (
            "class ParticipantHandler:\n"
            " def handle_lifecycle_control(self, ctrl): raise ZeroDivisionError",
            ZeroDivisionError,
        ),
        (
            "class ParticipantHandler:\n"
            " def handle_lifecycle_control(self, ctrl): raise SystemExit",
            SystemExit,
        ),
    ],
)
def test_whatever_goes_wrong_in_load_propagates(tmp_path, code, error):
    path = tmp_path / "bad_code.py"
    path.write_text(code)
    with pytest.raises(error):
        Worker("p1", str(path), [], lambda kind, body: None).load()


def test_no_such_code(tmp_path):
    with pytest.raises(FileNotFoundError):
        Worker("p1", str(tmp_path / "none.py"), [], lambda kind, body: None).load()


def test_missing_config_files_are_skipped(tmp_path):
    code = tmp_path / "c1.py"
    code.write_text("class ParticipantHandler: pass")
    (tmp_path / "b.ini").write_text("[a]\nx = 1\n")
    made = Worker("p1", str(code), ["/none.ini", str(tmp_path / "b.ini")], lambda k, b: None)
    made.load()
    assert made._exo.config.get("a", "x") == "1"


def test_logger(worker):
    made = worker(NOTHING, config="[skynet]\nlog_level = WARNING\n")
    log = made._exo.handler.log
    assert isinstance(log, logging.Logger)
    assert (log.name, log.level, log.propagate) == ("p1", logging.WARNING, False)
    stream = log.handlers[0]
    assert type(stream) is logging.StreamHandler
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "a %s", "args": ("b",)})
    assert stream.format(record) == "INFO a b"


def test_loading_twice_does_not_log_twice(worker):
    worker(NOTHING)
    made = worker(NOTHING)
    assert len([h for h in made._exo.log.handlers if type(h) is logging.StreamHandler]) == 1


# -- run


def test_reply_is_the_changed_workitem(worker):
    code = "wid.fields.y = wid.fields.x\n    return 'ignored'"
    made = worker(f"def handle_wi(self, wid):\n    {code}")
    outcome, send, reply = made.run(body_of(x="ä"))
    assert (outcome, send) == ("ok", "reply")
    assert reply == body_of(x="ä", y="ä")


def test_top_level_keys_travel_on(worker):
    body = b'{"mine":[1],"fei":{"wfid":"w"},"fields":{}}'
    assert worker(NOTHING).run(body) == ("ok", "reply", body)


@pytest.mark.parametrize("raw", ["1.0", "12345678901234567890123", '"\\u0000"', '{"":1,"a.b":2}'])
def test_values_survive(worker, raw):
    body = b'{"fields":{"x":%s},"fei":{}}' % raw.encode()
    assert worker(NOTHING).run(body)[2] == body


def test_integers_have_no_limit(worker):
    body = b'{"fields":{"x":%s},"fei":{}}' % (b"7" * 6000)
    assert worker(NOTHING).run(body) == ("ok", "reply", body)


@pytest.mark.parametrize("fields", [b'"fields":null,', b""])
def test_reply_has_fields_though_the_workitem_had_none(worker, fields):
    outcome, _, reply = worker(NOTHING).run(b"{%s" % fields + b'"fei":{"wfid":"w"}}')
    assert outcome == "ok"
    assert json.loads(reply) == {"fields": {}, "fei": {"wfid": "w"}}


def test_lone_surrogates_go_out_as_escapes(worker):
    made = worker("def handle_wi(self, wid): wid.fields.x = '\\ud800 ä'")
    reply = made.run(body_of())[2]
    assert b'"\\ud800 \\u00e4"' in reply
    assert json.loads(reply)["fields"]["x"] == "\ud800 ä"


def test_proxies_anywhere_in_fields_are_their_dicts(worker):
    made = worker("def handle_wi(self, wid): wid.fields.all = [wid.fields.a, {'k': wid.fields.a}]")
    assert fields_of(made.run(body_of(a={"b": 1})))["all"] == [{"b": 1}, {"k": {"b": 1}}]


def test_non_string_keys_as_json_does(worker):
    made = worker("def handle_wi(self, wid): wid.fields.x = {2: 'a', None: 'b', True: 'c'}")
    assert fields_of(made.run(body_of()))["x"] == {"2": "a", "null": "b", "true": "c"}


@pytest.mark.parametrize(
    "before, code, send",
    [
        (True, "pass", "nothing"),
        (False, "pass", "reply"),
        (False, "wid.forget = True", "nothing"),
        (True, "wid.forget = False", "nothing"),  # the engine has gone on in any case
        (True, "wid.fields.params = {}", "nothing"),
        (True, "raise KeyError", "nothing"),
        (True, "wid.fields.x = {1, 2}", "nothing"),
        (False, "raise KeyError", "reply"),
        (True, "wid.fields.params = None", "nothing"),
    ],
)
def test_forget(worker, before, code, send):
    made = worker(f"def handle_wi(self, wid): {code}")
    assert made.run(body_of(params={"forget": before}))[1] == send


def test_debug_trace_is_one_line_without_values(worker, records):
    worker(NOTHING).run(body_of(debug_trace=True, secret="hush\n", params={"task": "x"}))
    (record,) = records
    text = record.getMessage()
    assert "20261122-1052-gomo" in text and '"secret"' in text and '"task"' in text
    assert "hush" not in text and "\n" not in text


@pytest.mark.parametrize("fields", [{"debug_dump": 1}, {"params": {"debug_dump": True}}])
def test_debug_dump_is_the_dump(worker, records, fields):
    worker("def handle_wi(self, wid): wid.fields.after = 1").run(body_of(**fields))
    assert [r.getMessage() for r in records] == [Workitem(body_of(**fields)).dump()]


@pytest.mark.parametrize("fields", [{}, {"debug_dump": False, "debug_trace": 0}, {"params": None}])
def test_no_debugging_unless_asked_for(worker, records, fields):
    worker(NOTHING).run(body_of(**fields))
    assert records == []


def test_debugging_is_seen_at_every_log_level(worker, records):
    made = worker(NOTHING, config="[skynet]\nlog_level = ERROR\n")
    made.run(body_of(debug_trace=True, debug_dump=True))
    assert len(records) == 2


def test_no_logging_and_no_imports_on_the_common_path(worker, records):
    made = worker(NOTHING)
    made.run(body_of(x=1))
    before = set(sys.modules)
    made.run(body_of(x=1))
    assert set(sys.modules) == before
    assert records == []


def test_send_to_engine(worker):
    sent = []
    made = worker(
        """
        def handle_wi(self, wid):
            self.send_to_engine(wid)
            wid.fields.n = 2
            self.send_to_engine({"fields": {}, "fei": {}})
        """,
        emit=lambda kind, body: sent.append((kind, body)),
    )
    assert made.run(body_of(n=1))[0] == "ok"
    assert sent == [("message", body_of(n=1)), ("message", b'{"fields":{},"fei":{}}')]


@pytest.mark.parametrize("code, cls", [("'text'", "TypeError"), ("{'x': {1}}", "TypeError")])
def test_send_to_engine_refuses_what_is_no_workitem(worker, code, cls):
    made = worker(f"def handle_wi(self, wid): self.send_to_engine({code})")
    assert json.loads(made.run(body_of())[2])["error"]["message"].startswith(f"{cls}: ")


def test_emit_errors_go_to_the_handler(worker):
    def emit(kind, body):
        raise OSError(28, "No space left on device")

    made = worker("def handle_wi(self, wid): self.send_to_engine(wid)", emit=emit)
    message = json.loads(made.run(body_of())[2])["error"]["message"]
    assert message == "OSError(28): No space left on device"


def test_launcher_inside_a_participant(worker):
    sent = []
    made = worker(
        "def handle_wi(self, wid): Launcher('h', 'u', 'p', 'v').launch('d', {'x': wid.fields.x})",
        before="from RuoteAMQP import Launcher",
        emit=lambda kind, body: sent.append((kind, json.loads(body))),
    )
    assert made.run(body_of(x=3))[0] == "ok"
    assert sent == [("launch", {"definition": "d", "fields": {"x": 3}, "variables": {}})]
    assert launcher._emit is not None


# -- output


def test_output_is_flushed_before_run_returns(worker, monkeypatch):
    made = worker("def handle_wi(self, wid): print('partial', end='')")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    made.run(body_of())
    assert raw.getvalue() == b"partial"


@pytest.mark.parametrize("code", ["sys.stdout = None", "sys.stdout.close()", "sys.stderr = None"])
def test_a_handler_that_breaks_its_streams(worker, monkeypatch, code):
    made = worker(f"def handle_wi(self, wid): {code}", before="import sys")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))
    assert made.run(body_of())[0] == "ok"


def run_process(tmp_path, code, script):
    """Run `script` with a loaded Worker `w` of `code`, in a process of its own."""
    (tmp_path / "code.py").write_text(code)
    prologue = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r})\n"
        "from SkyNET._runtime import Worker\n"
        f"w = Worker('p1', {str(tmp_path / 'code.py')!r}, [], lambda k, b: None)\n"
        "w.load()\n"
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUNBUFFERED": ""}
    return subprocess.run([sys.executable, "-c", prologue + script], capture_output=True, env=env)


def test_streams_are_utf8_with_surrogateescape_whatever_the_locale(tmp_path):
    code = "class ParticipantHandler:\n    " + NOTHING
    done = run_process(tmp_path, code, "print('ä\\udce9'); print('ü\\udce9', file=sys.stderr)")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ä".encode() + b"\xe9\n"
    assert done.stderr == "ü\\udce9\n".encode()


def test_output_before_a_crash_is_not_lost(tmp_path):
    code = (
        "import os\nclass ParticipantHandler:\n"
        "    def handle_wi(self, wid):\n        print('last words')\n        os._exit(9)"
    )
    done = run_process(tmp_path, code, "w.run(b'{\"fields\":{}}')")
    assert (done.returncode, done.stdout) == (9, b"last words\n")


# -- children

FORK = """
import os
class ParticipantHandler:
    def handle_wi(self, wid):
        pid = os.fork()
        if pid == 0:
            print("child")
            {child}
            return
        wid.fields.status = os.waitpid(pid, 0)[1]
"""


@pytest.mark.parametrize(
    "child",
    ["pass", "raise KeyError('in the child')", "raise SystemExit(3)", "wid.fields.x = {1}"],
)
def test_a_forked_child_ends_without_answering(tmp_path, child):
    script = "print('reply', w.run(b'{\"fields\":{}}'))"
    done = run_process(tmp_path, FORK.format(child=child), script)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines == ["child", "reply ('ok', 'reply', b'{\"fields\":{\"status\":0}}')"]
    assert (b"in the child" in done.stderr) == ("in the child" in child)


@pytest.mark.parametrize("child", ["pass", "raise KeyError"])
@pytest.mark.parametrize("method", ["handle_lifecycle_control(self, ctrl)", "status(self, wid)"])
def test_forked_children_of_other_calls_end_too(tmp_path, child, method):
    code = FORK.format(child=child).replace("handle_wi(self, wid)", method)
    code = code.replace("wid.fields.status = ", "self.waited = ")
    done = run_process(tmp_path, code, "w.control('status', None); print('once')")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == ["child", "once"]
