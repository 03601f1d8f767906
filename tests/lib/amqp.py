#!/usr/bin/python3
"""AMQP by hand, for tests: publish and get messages as the BOSS engine does.

The broker is taken from BROKER_HOST, BROKER_PORT, BROKER_VHOST, BROKER_USER and
BROKER_PASS (broker.sh sets them) unless options say otherwise.

Exit status: 0 done; 1 the broker refused (no such queue, message returned);
64 usage; 69 no broker; 124 timeout.
"""

import argparse
import json
import logging
import os
import pathlib
import socket
import ssl
import sys
import time

import pika
import pika.exceptions

EX_REFUSED, EX_USAGE, EX_UNAVAILABLE, EX_TIMEOUT = 1, 64, 69, 124
POLL_S = 0.05
MAX_PREFETCH = 65535
CONNECT_ERRORS = (pika.exceptions.AMQPConnectionError, OSError)


class Failure(Exception):
    """An error to report: exit status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def explain(error: BaseException) -> str:
    """pika's exceptions often have an empty text or hide the real one."""
    if isinstance(error, (pika.exceptions.ConnectionClosed, pika.exceptions.ChannelClosed)):
        return f"{error.reply_code} {error.reply_text}"
    inner = [getattr(error, "exception", None)] + list(getattr(error, "exceptions", []))
    texts = [str(error)] + [explain(e) for e in error.args + tuple(inner) if isinstance(e, BaseException)]
    return next((text for text in reversed(texts) if text and text != "()"), type(error).__name__)


def tls_options(args: argparse.Namespace) -> "pika.SSLOptions | None":
    if args.tls_ca is None:
        return None
    context = ssl.create_default_context(cafile=args.tls_ca)
    if args.tls_cert is not None:
        context.load_cert_chain(args.tls_cert, args.tls_key)
    return pika.SSLOptions(context, args.tls_name or args.host)


def parameters(args: argparse.Namespace) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=args.host,
        port=args.port,
        virtual_host=args.vhost,
        credentials=pika.PlainCredentials(args.user, args.password),
        ssl_options=tls_options(args),
        socket_timeout=5,
        blocked_connection_timeout=args.timeout,
    )


def connect(args: argparse.Namespace) -> pika.BlockingConnection:
    try:
        return pika.BlockingConnection(parameters(args))
    except CONNECT_ERRORS as error:
        where = f"{args.host}:{args.port} vhost {args.vhost}"
        raise Failure(EX_UNAVAILABLE, f"cannot connect to {where}: {explain(error)}") from error


def properties(args: argparse.Namespace) -> pika.BasicProperties:
    """What the engine sends (docs: AMQP, as the engine uses it)."""
    return pika.BasicProperties(
        content_type=args.content_type,
        delivery_mode=2 if args.persistent else 1,
        priority=0,
        correlation_id="",
        reply_to=args.reply_to,
        message_id=args.message_id,
    )


def publish(args: argparse.Namespace) -> None:
    body = sys.stdin.buffer.read()
    connection = connect(args)
    channel = connection.channel()
    channel.confirm_delivery()  # returning means that the broker has it
    for _ in range(args.count):
        try:
            channel.basic_publish(args.exchange, args.queue, body, properties(args), args.mandatory)
        except pika.exceptions.UnroutableError as error:
            raise Failure(EX_REFUSED, f"message for {args.queue} was returned: no such queue") from error
        except pika.exceptions.NackError as error:
            raise Failure(EX_REFUSED, f"message for {args.queue} was refused (nack)") from error
    connection.close()


def describe(method: "pika.spec.Basic.Deliver", props: pika.BasicProperties, body: bytes) -> str:
    values = {name: value for name, value in vars(props).items() if value is not None}
    values.update(redelivered=method.redelivered, routing_key=method.routing_key, exchange=method.exchange)
    return json.dumps({**values, "length": len(body)}, sort_keys=True)


def show(args: argparse.Namespace, number: int, message: tuple) -> None:
    method, props, body = message
    if args.raw is not None:
        path = args.raw if args.count == 1 else f"{args.raw}.{number}"
        pathlib.Path(path).write_bytes(body)
    if args.props:
        print(describe(method, props, body), flush=True)
    elif args.raw is None:
        sys.stdout.buffer.write(body + b"\n")
        sys.stdout.buffer.flush()


def consume(channel, queue: str, auto_ack: bool, deadline: float):
    """Yields messages until the deadline; the caller stops when it has enough."""
    for message in channel.consume(queue, auto_ack=auto_ack, inactivity_timeout=POLL_S):
        if message[0] is not None:
            yield message
        if time.monotonic() >= deadline:
            return


def get(args: argparse.Namespace) -> None:
    connection = connect(args)
    channel = connection.channel()
    # Nothing is acknowledged before the end, so no more than count ever leave the queue.
    channel.basic_qos(prefetch_count=min(args.count, MAX_PREFETCH))
    got, last_tag = 0, 0
    for message in consume(channel, args.queue, False, time.monotonic() + args.timeout):
        got += 1
        last_tag = message[0].delivery_tag
        show(args, got, message)
        if got == args.count:
            break
    if got and not args.keep:
        channel.basic_ack(last_tag, multiple=True)
    connection.close()
    if got < args.count:
        raise Failure(EX_TIMEOUT, f"timeout: {got} of {args.count} messages from {args.queue} in {args.timeout} s")


def engine(args: argparse.Namespace) -> None:
    """Publishes each line of stdin, and prints as many replies as there were lines."""
    bodies = [line for line in sys.stdin.buffer.read().split(b"\n") if line]
    connection = connect(args)
    channel = connection.channel()
    channel.queue_declare(args.reply_queue, durable=True)
    for body in bodies:
        channel.basic_publish("", args.queue, body, properties(args))
    left = len(bodies)
    for message in consume(channel, args.reply_queue, True, time.monotonic() + args.timeout):
        show(args, len(bodies) - left + 1, message)
        left -= 1
        if left == 0:
            break
    connection.close()
    if left:
        raise Failure(EX_TIMEOUT, f"timeout: {left} of {len(bodies)} replies missing after {args.timeout} s")


def declare(args: argparse.Namespace) -> None:
    with connect(args) as connection:
        connection.channel().queue_declare(args.queue, durable=not args.transient)


def purge(args: argparse.Namespace) -> None:
    with connect(args) as connection:
        connection.channel().queue_purge(args.queue)


def delete(args: argparse.Namespace) -> None:
    with connect(args) as connection:
        connection.channel().queue_delete(args.queue)


def length(args: argparse.Namespace) -> None:
    with connect(args) as connection:
        answer = connection.channel().queue_declare(args.queue, passive=True)
        print(answer.method.message_count)


def listens(args: argparse.Namespace) -> bool:
    try:
        socket.create_connection((args.host, args.port), timeout=1).close()
    except OSError:
        return False
    return True


def wait(args: argparse.Namespace) -> None:
    """Returns when a login works; gives up early when the broker's process is gone."""
    deadline = time.monotonic() + args.timeout
    while time.monotonic() < deadline:
        if args.pid and not pathlib.Path(f"/proc/{args.pid}").exists():
            raise Failure(EX_UNAVAILABLE, f"the broker, process {args.pid}, has died")
        if listens(args):
            try:
                connect(args).close()
                return
            except Failure:
                pass
        time.sleep(POLL_S)
    raise Failure(EX_TIMEOUT, f"timeout: no login at {args.host}:{args.port} in {args.timeout} s")


def add_message_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--persistent", action="store_true", help="delivery_mode 2 (the engine sends 1)")
    command.add_argument("--content-type", default="application/octet-stream")
    command.add_argument("--message-id")
    command.add_argument("--reply-to")


def add_output_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--props", action="store_true", help="print properties as JSON, not the body")
    command.add_argument("--raw", metavar="FILE", help="write the body to FILE (FILE.1, ... for several)")


def parser() -> argparse.ArgumentParser:
    env = os.environ.get
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--host", default=env("BROKER_HOST", "127.0.0.1"))
    top.add_argument("--port", type=int, default=int(env("BROKER_PORT", "0")))
    top.add_argument("--vhost", default=env("BROKER_VHOST", "boss"))
    top.add_argument("--user", default=env("BROKER_USER", "boss"))
    top.add_argument("--password", default=env("BROKER_PASS", "boss"))
    top.add_argument("--tls-ca", metavar="FILE", help="use TLS and trust this CA")
    top.add_argument("--tls-cert", metavar="FILE", help="client certificate")
    top.add_argument("--tls-key", metavar="FILE", help="its key")
    top.add_argument("--tls-name", metavar="NAME", help="expect this name in the certificate (default: the host)")
    commands = top.add_subparsers(dest="command", required=True)
    for function in (publish, get, engine, declare, purge, delete, length, wait):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(run=function)
        command.add_argument("--timeout", type=float, default=10, metavar="S")
        if function is not wait:
            command.add_argument("queue", metavar="QUEUE")
        if function in (publish, get):
            command.add_argument("--count", type=int, default=1)
        if function in (publish, engine):
            add_message_options(command)
        if function in (get, engine):
            add_output_options(command)
    choices = commands.choices
    choices["publish"].add_argument("--mandatory", action="store_true", help="fail when there is no such queue")
    choices["publish"].add_argument("--exchange", default="", help="QUEUE is the routing key then")
    choices["get"].add_argument("--keep", action="store_true", help="leave the messages in the queue")
    choices["engine"].add_argument("--reply-queue", default="ruote_workitems")
    choices["engine"].set_defaults(count=0)
    choices["declare"].add_argument("--transient", action="store_true", help="not durable")
    choices["wait"].add_argument("--pid", type=int, help="the broker's process")
    return top


def main() -> int:
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    args = parser().parse_args()
    if not args.port:
        print("amqp.py: which broker? Give --port or set BROKER_PORT", file=sys.stderr)
        return EX_USAGE
    try:
        args.run(args)
    except Failure as failure:
        print(f"amqp.py: {args.command}: {failure}", file=sys.stderr)
        return failure.status
    except pika.exceptions.ConnectionBlockedTimeout:
        print(f"amqp.py: {args.command}: timeout: the broker blocks publishers", file=sys.stderr)
        return EX_TIMEOUT
    except (pika.exceptions.AMQPError, OSError) as error:
        print(f"amqp.py: {args.command}: {explain(error)}", file=sys.stderr)
        return EX_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
