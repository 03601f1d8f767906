#!/usr/bin/python3
"""What a user would write by hand instead of SkyNET: a participant on pika.

Publishes the reply, then acknowledges the workitem (at least once). With
confirms, BlockingConnection waits for the broker's confirm of each reply.
"""

import argparse
import json
import signal
import sys

import pika

PROPERTIES = pika.BasicProperties(content_type="application/json", delivery_mode=2)
REPLY_QUEUE = "ruote_workitems"


def on_message(channel, method, _properties, body) -> None:
    workitem = json.loads(body)
    workitem["fields"]["__result__"] = True
    channel.basic_publish("", REPLY_QUEUE, json.dumps(workitem), PROPERTIES)
    channel.basic_ack(method.delivery_tag)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5672)
    parser.add_argument("--vhost", default="bench")
    parser.add_argument("--prefetch", type=int, default=1)
    parser.add_argument("--no-confirms", action="store_true")
    parser.add_argument("queue", nargs="?", default="bench_q")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            host=args.host,
            port=args.port,
            virtual_host=args.vhost,
            credentials=pika.PlainCredentials("boss", "boss"),
        )
    )
    channel = connection.channel()
    channel.queue_declare(args.queue, durable=True)
    if not args.no_confirms:
        channel.confirm_delivery()
    channel.basic_qos(prefetch_count=args.prefetch)
    channel.basic_consume(args.queue, on_message)
    channel.start_consuming()


if __name__ == "__main__":
    main()
