#!/usr/bin/python3
"""fake_air.py REQUESTS SERVICE FILE...: hosts that answer AIR requests with what is in the FILEs, one host each.

Each request is appended to REQUESTS as a line of JSON, with its properties, and the file is there as soon as all hosts
listen. In a FILE, "@ID@" stands for the request's msgID; an empty one answers nothing. The broker is that of broker_env.
"""

import json
import os
import pathlib
import sys

import pika

requests, service, *files = sys.argv[1:]
e = os.environ
connection = pika.BlockingConnection(
    pika.ConnectionParameters(
        e["BROKER_HOST"],
        int(e["BROKER_PORT"]),
        e["BROKER_VHOST"],
        pika.PlainCredentials(e["BROKER_USER"], e["BROKER_PASS"]),
    )
)


def serve(channel, answer, first):
    channel.exchange_declare("AIR-request", "direct", durable=True)
    channel.exchange_declare("AIR-response", "direct", durable=False)
    queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
    channel.queue_bind(queue, "AIR-request", service)

    def on_request(ch, method, properties, body):
        request = json.loads(body)
        if first:
            with open(requests, "a") as f:
                props = {"reply_to": properties.reply_to, "delivery_mode": properties.delivery_mode}
                f.write(json.dumps({**request, **props}) + "\n")
        text = answer.read_bytes().replace(b"@ID@", request["msgID"].encode())
        if text:
            ch.basic_publish("AIR-response", properties.reply_to, text)

    channel.basic_consume(queue, on_request, auto_ack=True)


channels = [connection.channel() for _ in files]
for n, (channel, file) in enumerate(zip(channels, files)):
    serve(channel, pathlib.Path(file), n == 0)
open(requests, "a").close()
channels[0].start_consuming()
