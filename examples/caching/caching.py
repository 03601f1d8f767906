"""A participant that brings an exoskeleton of its own: answers that were found once are remembered.

    [participant]
    exo_class = caching:CachingExo

    [cache]
    size = 1000

The handler looks up a host's addresses, which may take seconds, and knows nothing of the
cache. CachingExo stands between the worker and it: a workitem with params that were seen
before gets the fields that the handler set then. Errors are not remembered.

Param: `host`. Reply: field `addresses`; result true if there are any.
"""

import json
import socket
from collections import OrderedDict

from SkyNET import Exo


class ParticipantHandler:
    def handle_wi(self, wid):
        self.log.info("looking up %s", wid.params.host)
        found = socket.getaddrinfo(wid.params.host, None, type=socket.SOCK_STREAM)
        wid.fields.addresses = sorted({address[0] for *_, address in found})
        wid.result = bool(wid.fields.addresses)


class CachingExo(Exo):
    def configure(self):
        super().configure()
        self.size = self.config.getint("cache", "size", fallback=1000)
        self.known = OrderedDict()
        self.hits = 0

    def handle(self, wid):
        key = json.dumps(wid.params.as_dict(), sort_keys=True)
        if key in self.known:
            self.hits += 1
            self.known.move_to_end(key)
            # A copy each time: what one workitem does to it is not the next one's business.
            wid.fields.as_dict().update(json.loads(self.known[key]))
            self.log.info("known: %s", key)
            return
        before = json.loads(json.dumps(wid.fields.as_dict()))
        super().handle(wid)
        changed = {k: v for k, v in wid.fields.as_dict().items() if before.get(k) != v}
        self.known[key] = json.dumps(changed)
        if len(self.known) > self.size:
            self.known.popitem(last=False)

    def status(self, wid):
        return {"known": len(self.known), "hits": self.hits}
