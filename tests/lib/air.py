#!/usr/bin/python3
"""AIR by hand, for tests: sends one request and prints each answer's body, a line each.

    air.py SERVICE VERB [--wait MS] [--kill S] [--deadline S] [--count N] [--timeout S]
    air.py SERVICE --raw FILE      the bytes of FILE as the request (--no-reply-to: without that property)

The broker is taken from BROKER_*, as in amqp.py. --deadline is in seconds from now. Exit status: 0 COUNT answers came;
1 the request was returned, nobody serves SERVICE; 124 fewer than COUNT came within the timeout (default 5 s).
"""

import argparse
import json
import os
import pathlib
import sys
import time
import uuid

import pika
import pika.exceptions


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service")
    parser.add_argument("verb", nargs="?")
    parser.add_argument("--wait", type=int)
    parser.add_argument("--kill", type=float)
    parser.add_argument("--deadline", type=float)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=5)
    parser.add_argument("--raw", type=pathlib.Path)
    parser.add_argument("--no-reply-to", action="store_true")
    return parser.parse_args()


def request(args: argparse.Namespace, message_id: str) -> bytes:
    if args.raw:
        return args.raw.read_bytes()
    kwargs = {k: v for k, v in (("wait", args.wait), ("kill", args.kill)) if v is not None}
    deadline = None if args.deadline is None else time.time() + args.deadline
    return json.dumps({"msgID": message_id, "args": [args.verb], "kwargs": kwargs, "deadline": deadline}).encode()


def main() -> int:
    args = options()
    e = os.environ
    connection = pika.BlockingConnection(pika.ConnectionParameters(
        e["BROKER_HOST"], int(e["BROKER_PORT"]), e["BROKER_VHOST"],
        pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"])))
    channel = connection.channel()
    channel.exchange_declare("AIR-request", "direct", durable=True)
    channel.exchange_declare("AIR-response", "direct", durable=False)
    reply_to = "test." + uuid.uuid4().hex
    queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
    channel.queue_bind(queue, "AIR-response", reply_to)
    channel.confirm_delivery()
    message_id = uuid.uuid4().urn
    props = pika.BasicProperties(reply_to=None if args.no_reply_to else reply_to, delivery_mode=2)
    try:
        channel.basic_publish("AIR-request", args.service, request(args, message_id), props, mandatory=True)
    except pika.exceptions.UnroutableError:
        return 1
    end, got = time.monotonic() + args.timeout, 0
    for method, _props, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.05):
        if method is not None:
            answer = json.loads(body)
            assert args.raw or answer["msgID"] == message_id, answer
            print(json.dumps(answer["return"]), flush=True)
            got += 1
        if got == args.count or time.monotonic() >= end:
            break
    connection.close()
    return 0 if got == args.count else 124


if __name__ == "__main__":
    sys.exit(main())
