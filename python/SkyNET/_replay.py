"""What `skynet replay` starts: one workitem, one handler, in the foreground.

Nothing is sent. The reply goes to standard output; whatever the handler logs or prints
goes to standard error. Exit code 0: outcome ok (or no difference), 1: error (or different).
"""

import argparse
import difflib
import json
import os
import sys
from typing import Any, Callable

from ._runtime import Worker


def main() -> int:
    args = _arguments()
    out = _take_stdout()
    body = _read(args.body_fd)
    old = None if args.diff_fd is None else _read(args.diff_fd)
    worker = Worker(args.name, args.code, args.config, _not_sent, args.exo_class)
    worker.load()
    if args.pdb:
        _debug(worker)
    outcome, send, reply = worker.run(body)
    sys.stdout.flush()
    print(f"replay: outcome {outcome}, would send {send}", file=sys.stderr, flush=True)
    if old is not None:
        return _diff(out, old, reply)
    _print(out, reply if args.raw else _pretty(reply))
    return 0 if outcome == "ok" else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="skynet replay")
    parser.add_argument("--pdb", action="store_true")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--exo-class", default="")
    parser.add_argument("--code", required=True)
    parser.add_argument("--body-fd", type=int, required=True)
    parser.add_argument("--diff-fd", type=int)
    parser.add_argument("name")
    parser.add_argument("config", nargs="*")
    args = parser.parse_args()
    sys.argv[1:] = []  # the handler's business is not ours
    return args


def _take_stdout() -> int:
    """The real standard output, for the reply alone; 1 becomes standard error."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _read(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        return file.read()


def _not_sent(kind: str, body: bytes) -> None:
    print(f"replay: would send a {kind} of {len(body)} bytes", file=sys.stderr, flush=True)


def _debug(worker: Worker) -> None:
    """Stop at the first line of handle_wi, and where an exception leaves it."""
    import pdb

    class Debugger(pdb.Pdb):
        def set_quit(self) -> None:  # the person has seen enough: no reply to print
            sys.stdout.flush()
            os._exit(1)

    handler = worker._exo.handler
    handle_wi: Callable[[Any], Any] = handler.handle_wi

    def handle(wid: Any) -> Any:
        try:
            return Debugger().runcall(handle_wi, wid)
        except BaseException as exc:
            print(f"replay: {type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
            pdb.post_mortem(_in_handler(exc, handle_wi))
            raise

    handler.handle_wi = handle


def _in_handler(exc: BaseException, handle_wi: Callable[[Any], Any]) -> Any:
    """The traceback from handle_wi on, without the debugger's own frames."""
    code = getattr(handle_wi, "__code__", None)
    trace = exc.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    return trace or exc.__traceback__


def _pretty(reply: bytes) -> bytes:
    return json.dumps(json.loads(reply), indent=2, ensure_ascii=False).encode()


def _diff(out: int, old: bytes, new: bytes) -> int:
    lines = list(
        difflib.unified_diff(
            _lines(old), _lines(new), "the reply that was sent", "the reply now", lineterm=""
        )
    )
    _print(out, "\n".join(lines).encode() if lines else b"")
    return 1 if lines else 0


def _lines(reply: bytes) -> list[str]:
    try:
        value = json.loads(reply)
    except ValueError:  # nothing was sent, or it is damaged: compare what there is
        return reply.decode(errors="replace").splitlines()
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()


def _print(out: int, text: bytes) -> None:
    if text and not text.endswith(b"\n"):
        text += b"\n"
    with os.fdopen(out, "wb") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
