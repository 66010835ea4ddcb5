"""An OAuth 2.0 token endpoint for client credentials (RFC 6749, section 4.4)."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class TokenEndpoint:
    """Gives a new token for each request with the right secret. `asked`: the forms received, `given`: the tokens, in order."""

    def __init__(self, secret: str, prefix: str, lifetime_s: int):
        self.secret, self.prefix, self.lifetime_s = secret, prefix, lifetime_s
        self.asked: list[dict[str, list[str]]] = []
        self.given: list[str] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                status, answer = endpoint.answer(form)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/tenant/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, form: dict[str, list[str]]) -> tuple[int, dict]:
        """Status and body."""
        self.asked.append(form)
        if form.get("client_secret") != [self.secret]:
            return 401, {"error": "invalid_client"}
        self.given.append(f"{self.prefix}{len(self.given)}")
        return 200, {"token_type": "Bearer", "access_token": self.given[-1], "expires_in": self.lifetime_s}

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
