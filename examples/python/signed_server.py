# SPDX-License-Identifier: Apache-2.0
"""The little of HTTP that both examples need: signed calls in, JSON out."""

import json
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standard_webhooks import is_signed


def serve(name, port, secret, carry_out, afterwards=lambda: None):
    """Answers signed calls with what `carry_out(method, parts, query, body, headers)` gives: a status and a value. `afterwards` runs when the answer
    is on its way."""

    class Calls(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.serve(b"")

        def do_POST(self):
            self.serve(self.rfile.read(int(self.headers.get("content-length") or 0)))

        def serve(self, body):
            if not is_signed(secret, self.headers, body):
                return self.reply(401, {"code": "signature"})
            url = urllib.parse.urlsplit(self.path)
            parts = [urllib.parse.unquote(part) for part in url.path.strip("/").split("/")]
            query = dict(urllib.parse.parse_qsl(url.query))
            try:
                self.reply(*carry_out(self.command, parts, query, body, self.headers))
            except (KeyError, TypeError, ValueError) as wrong:
                self.reply(422, {"code": "invalid", "reason": f"the request cannot be read: {wrong}"})
            afterwards()

        def reply(self, status, answer):
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Calls)
    print(f"{name} listens on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
