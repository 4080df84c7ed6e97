"""A small web on loopback: a hub as far as downloads go, and a site with links, with ranges, tokens, terms and broken connections."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "civ1tai-very-s3cret"


class Site(BaseHTTPRequestHandler):
    """`server.repositories`: name -> path -> bytes; `server.files`: path of a link -> bytes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        web, parts = self.server, urlsplit(self.path)
        web.asked.append((self.command, self.path, dict(self.headers)))
        if web.fail:
            return self.answer(b"", web.fail.pop())
        if parts.path.startswith("/files/"):
            return self.link(parts.path, parse_qs(parts.query))
        name = "/".join(parts.path.removeprefix("/api/models").strip("/").split("/")[:2])
        if name == "maker/gated":
            return self.answer(b"{}", 403, X_Error_Code="GatedRepo")
        if name not in web.repositories:
            return self.answer(b"{}", 404, X_Error_Code="RepoNotFound")
        files = web.repositories[name]
        if parts.path.startswith("/api/"):
            siblings = [
                {"rfilename": path, "size": len(data), "lfs": {"sha256": web.promised.get(path) or sha256(data), "size": len(data), "pointerSize": 1}}
                if path.endswith(".safetensors") else {"rfilename": path, "size": len(data)}
                for path, data in files.items()
            ]  # fmt: skip
            return self.answer(json.dumps({"id": name, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "openrail"}}).encode())
        path = parts.path.split("/resolve/")[1].partition("/")[2]
        if path not in files:
            return self.answer(b"", 404, X_Error_Code="EntryNotFound")
        return self.file(files[path], X_Repo_Commit=COMMIT)

    def link(self, path, asked):
        web = self.server
        if path == "/files/moved":
            return self.answer(b"", 302, Location=web.moved_to)
        if path == "/files/login":
            return self.answer(b"<html>Log in</html>", Content_Type="text/html")
        if path not in web.files:
            return self.answer(b"", 404)
        if path == "/files/gated" and asked.get("token") != [TOKEN]:
            return self.answer(b"{}", 401)
        return self.file(web.files[path], **web.headers)

    def file(self, data, **headers):
        """A whole file, or the rest of one; the connection of weights breaks after `server.breaks` bytes, where that is set."""
        web, start, status = self.server, 0, 200
        headers = {"ETag": f'"{sha256(data)}"', "Content_Type": "application/octet-stream", **headers}
        asked = self.headers.get("Range", "")
        if asked and self.headers.get("If-Range") in (None, headers["ETag"]):
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(data):
                return self.answer(b"", 416, Content_Range=f"bytes */{len(data)}")
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        rest = data[start:]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(rest)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            web.sent.append((start, len(rest)))
            if web.breaks and ".safetensors" in self.path:
                self.wfile.write(rest[: web.breaks.pop()])
                self.close_connection = True
                return None
            self.wfile.write(rest)
        return None

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@contextmanager
def small_web():
    """The web while the block runs."""
    web = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    web.address = f"http://127.0.0.1:{web.server_port}"
    web.repositories, web.promised, web.files, web.headers, web.moved_to = {}, {}, {}, {}, ""
    web.asked, web.sent, web.breaks, web.fail = [], [], [], []
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        yield web
    finally:
        web.shutdown()
        web.server_close()
