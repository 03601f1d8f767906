"""Exceptions and error replies: PROTOCOL 1.3 and 3.4."""

import io
import json
import os
import traceback
from urllib.error import HTTPError, URLError

import pytest
from conftest import FEI, body_of
from SkyNET import _errors
from SkyNET._runtime import Worker


class WithMsg(Exception):
    def __init__(self, msg):
        super().__init__("not this")
        self.msg = msg


class Sub(OSError):
    pass


class Broken(Exception):
    def __str__(self):
        raise KeyError


def with_filename(exc, filename):
    exc.filename = filename
    return exc


@pytest.mark.parametrize(
    "exc, text",
    [
        (HTTPError("http://h", 404, "Gone", None, io.BytesIO()), "HTTPError: 404 http://h"),
        (FileNotFoundError(2, "No such", "/x"), "FileNotFoundError(2): /x No such"),
        (with_filename(Sub(1, "Not yours"), "/y"), "Sub(1): /y Not yours"),
        (OSError(28, "No space left"), "OSError(28): No space left"),
        (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError(111): refused"),
        (OSError("just text"), "OSError: just text"),
        (URLError("why"), "URLError: <urlopen error why>"),
        (WithMsg("this"), "WithMsg: this"),
        (json.JSONDecodeError("Expecting value", "x", 0), "JSONDecodeError: Expecting value"),
        (SyntaxError("bad"), "SyntaxError: bad"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError("ä\n"), "ValueError: ä\n"),
        (Exception(), "Exception: "),
        (SystemExit(3), "SystemExit: 3"),
        (Broken(), "Broken: (its text cannot be had)"),
    ],
)
def test_message(exc, text):
    assert _errors.message(exc) == text


def error_of(result):
    outcome, send, reply = result
    assert (outcome, send) == ("error", "reply")
    item = json.loads(reply)
    error = item["error"]
    assert set(error) == {"class", "message", "trace"}
    assert isinstance(error["message"], str)
    assert all(isinstance(line, str) for line in error["trace"])
    assert isinstance(item["fields"], dict)
    return item, error


@pytest.mark.parametrize(
    "code, message",
    [
        ("raise ValueError('boo')", "ValueError: boo"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("exit()", "SystemExit: None"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("raise GeneratorExit", "GeneratorExit: "),
        ("raise MemoryError", "MemoryError: "),
        ("f = lambda: f(); f()", "RecursionError: maximum recursion depth exceeded"),
        ("raise type('Own', (BaseException,), {})('x')", "Own: x"),
        ("open('/no/such/file')", "FileNotFoundError(2): /no/such/file No such file or directory"),
        ("self.no_such_thing", "AttributeError: 'ParticipantHandler' object has no attribute"),
        ("wid.qa", "AttributeError: 'Workitem' object has no attribute 'qa'"),
    ],
)
def test_whatever_the_handler_raises_is_an_error_reply(worker, code, message):
    made = worker(f"def handle_wi(self, wid):\n    wid.fields.done = ['so far']\n    {code}")
    item, error = error_of(made.run(body_of(x=1)))
    assert error["message"].startswith(message)
    assert error["class"] == "RuntimeError"
    assert item["fields"] == {"x": 1, "done": ["so far"]}
    assert item["fei"] == FEI and item["wf_name"] == "seq"
    assert made.run(body_of(mode="next"))[0] == "error"  # and the worker lives


@pytest.mark.parametrize(
    "code, message",
    [
        ("wid.fields.x = {1, 2}", "TypeError: Object of type set is not JSON serializable"),
        ("wid.fields.x = b'bytes'", "TypeError: Object of type bytes is not"),
        ("wid.fields.x = object()", "TypeError: Object of type object is not"),
        ("wid.fields.x = float('nan')", "ValueError: Out of range float"),
        ("wid.fields.x = float('-inf')", "ValueError: Out of range float"),
        ("wid.fields.x = {(1, 2): 3}", "TypeError: keys must be str"),
        ("wid.fields.x = wid.fields", "ValueError: Circular reference"),
        ("x = []; x.append(x); wid.result = x", "ValueError: Circular reference"),
        ("x = []\n    for _ in range(9999): x = [x]\n    wid.fields.x = x", "RecursionError: "),
        ("wid.to_h()['fields'] = None", "TypeError: the handler left fields that are no object"),
        ("wid.to_h()['fields'] = [1]", "TypeError: the handler left fields that are no object"),
        ("del wid.to_h()['fields']", "TypeError: the handler left fields that are no object"),
        ("wid.fields.x = {1}\n    raise KeyError('own')", "KeyError: 'own'"),
    ],
)
def test_what_cannot_be_sent_is_an_error_with_the_original_fields(worker, code, message):
    made = worker(f"def handle_wi(self, wid):\n    wid.fields.done = True\n    {code}")
    item, error = error_of(made.run(body_of(x="ä", y=2)))
    assert error["message"].startswith(message)
    assert item["fields"] == {"x": "ä", "y": 2}
    assert item["fei"] == FEI


DEEP = b'{"fields":{"x":' + b"[" * 9999 + b"]" * 9999 + b'},"fei":{"wfid":"w"}} \n'


@pytest.mark.parametrize(
    "body, cls",
    [
        (b'{"fields":{"x":nope},"fei":{"wfid":"w"}}', "JSONDecodeError"),
        (b'\xef\xbb\xbf{"fields":{},"fei":{"wfid":"w"}}', "JSONDecodeError"),
        (b'{"fields":{"x":"\xff"},"fei":{"wfid":"w"}}', "UnicodeDecodeError"),
        (b'{"fields":{"e":{"fei":{"wfid":"old"}}},"fei" : {"wfid":"w"}}\0', "JSONDecodeError"),
        (b'{"fei":{"wfid":"w"},"fields":{"x":1', "JSONDecodeError"),
        (b'{"fields":{"x":1e400},"fei":{"wfid":"w"}}', "ValueError"),
        (b'{"fields":{"x":NaN},"fei":{"wfid":"w"}}', "ValueError"),
        (b'{"fields":[1],"fei":{"wfid":"w"}}', "TypeError"),
        (b'{"fields":"x","fei":{"wfid":"w"}}', "TypeError"),
    ],
)
def test_a_workitem_that_python_cannot_take_keeps_its_fei(worker, body, cls):
    item, error = error_of(worker("def handle_wi(self, wid): pass").run(body))
    assert error["message"].startswith(f"{cls}: ")
    assert item["fei"] == {"wfid": "w"}
    assert item["fields"] == {}


@pytest.mark.parametrize(
    "body", [b"", b"text", b"1", b"null", b"[{}]", b'"fei"', b'{"fei":', b"[" * 9999]
)
def test_what_is_no_workitem_at_all(worker, body):
    item, _ = error_of(worker("def handle_wi(self, wid): pass").run(body))
    assert item["fields"] == {}
    assert "fei" not in item


def test_a_workitem_too_deep_for_python_is_returned_as_it_is(worker):
    outcome, send, reply = worker("def handle_wi(self, wid): pass").run(DEEP)
    assert (outcome, send) == ("error", "reply")
    head, tail = reply.split(b',"error":')
    assert head + b"} \n" == DEEP
    assert json.loads(tail[:-1])["message"].startswith("RecursionError: ")


def test_trace_begins_at_the_handler_and_ends_at_the_cause(worker, tmp_path):
    made = worker(
        "def handle_wi(self, wid):\n    self.inner()\ndef inner(self):\n    raise KeyError(1)"
    )
    _, error = error_of(made.run(body_of()))
    path = tmp_path / "p1_code.py"
    assert error["trace"] == [
        f"{path}:4: in `handle_wi self.inner()'",
        f"{path}:6: in `inner raise KeyError(1)'",
    ]


def test_a_frame_without_text(worker):
    made = worker("def handle_wi(self, wid): exec('1/0')")
    assert error_of(made.run(body_of()))[1]["trace"][-1] == "<string>:1: in `<module>'"


def test_a_long_trace_is_cut_in_the_middle(worker):
    made = worker("def handle_wi(self, wid): self.again()\ndef again(self): self.again()")
    trace = error_of(made.run(body_of()))[1]["trace"]
    assert len(trace) == _errors.FRAMES_MAX
    assert "in `handle_wi " in trace[0] and "in `again " in trace[-1]


def test_a_message_that_utf8_cannot_hold(worker):
    made = worker("def handle_wi(self, wid): raise ValueError('\\ud800')")
    assert error_of(made.run(body_of()))[1]["message"] == "ValueError: \ud800"


def test_the_exception_is_in_the_log(worker, records):
    worker("def handle_wi(self, wid): raise KeyError('seen')").run(body_of())
    (record,) = records
    assert record.levelname == "ERROR"
    assert record.getMessage() == "handle_wi: KeyError: 'seen'"
    assert "handle_wi" in "".join(traceback.format_exception(*record.exc_info))


def test_a_log_that_fails_does_not_lose_the_reply(worker):
    made = worker("def handle_wi(self, wid):\n    self.log.error = None\n    raise KeyError('x')")
    try:
        assert error_of(made.run(body_of()))[1]["message"] == "KeyError: 'x'"
    finally:
        del made._exo.log.error


@pytest.mark.parametrize("name", ["StandardError", "BOSS::RemoteError", "Ruote::Amqp::RemoteError"])
def test_error_class_is_configured(worker, name):
    made = worker("def handle_wi(self, wid): 1 / 0", f"[participant]\nerror_class = {name}\n")
    assert error_of(made.run(body_of()))[1]["class"] == name


def test_a_bad_error_class_is_not_used(worker):
    made = worker("def handle_wi(self, wid): 1 / 0", "[participant]\nerror_class = MyError\n")
    assert error_of(made.run(body_of()))[1]["class"] == "RuntimeError"


@pytest.mark.parametrize(
    "value, error",
    [
        ("''", {"message": ""}),
        ("'text'", {"message": "text"}),
        ("0", {"message": "0"}),
        ("{'message': 'm'}", {"message": "m"}),
        ("{'class': 'StandardError', 'message': 'm', 'trace': ['l']}",
         {"class": "StandardError", "message": "m", "trace": ["l"]}),
        ("{'class': 'NoSuch', 'message': 1, 'trace': 'l'}", {"message": "1"}),
        ("{'class': ['x'], 'message': 'm', 'trace': [1]}", {"message": "m", "trace": ["1"]}),
    ],
)  # fmt: skip
def test_an_error_that_the_handler_sets_is_made_safe_for_the_engine(worker, value, error):
    made = worker(f"def handle_wi(self, wid): wid.error = {value}")
    item, found = error_of(made.run(body_of(x=1)))
    assert found == {"class": "RuntimeError", "trace": [], **error}
    assert item["fields"] == {"x": 1}


@pytest.mark.parametrize("value", ["None", "False"])
def test_null_and_false_are_no_error(worker, value):
    assert worker(f"def handle_wi(self, wid): wid.error = {value}").run(body_of())[0] == "ok"


def test_run_before_load_is_an_error_and_no_exception():
    made = Worker("p1", "/none.py", [], lambda kind, body: None)
    made._pid = os.getpid()
    outcome, _, reply = made.run(body_of(x=1))
    assert outcome == "error"
    assert json.loads(reply)["fields"] == {"x": 1}


def test_http_error_is_recognised_in_a_handler(worker):
    made = worker(
        "def handle_wi(self, wid): raise HTTPError('http://h/', 500, 'x', None, io.BytesIO())",
        before="import io\nfrom urllib.error import HTTPError",
    )
    assert error_of(made.run(body_of()))[1]["message"] == "HTTPError: 500 http://h/"
