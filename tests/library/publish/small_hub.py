"""A small hub on loopback: as much of Hugging Face's as an upload calls."""

import base64
import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TOKEN = "hf_" + "a" * 34


class SmallHub(BaseHTTPRequestHandler):
    """Keeps what is uploaded in `server.files`: repository -> path -> bytes."""

    def log_message(self, *_):
        pass

    def answer(self, tree, status=200):
        body = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_POST(self):
        body, hub = self.body(), self.server
        path = self.path.partition("?")[0]
        hub.called.append(path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and path != "/api/validate-yaml":
            return self.answer({"error": "Invalid username or password."}, 401)
        if path == "/api/repos/create":
            said = json.loads(body)
            name = f"{said['organization']}/{said['name']}"
            if said["organization"] not in hub.may_write:
                return self.answer({"error": "You don't have the rights to create a model under this namespace"}, 403)
            hub.files.setdefault(name, {})
            hub.private[name] = said.get("visibility", "public")
            return self.answer({"url": f"{hub.address}/{name}", "id": name})
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            modes = {file["path"]: "lfs" if file["path"].endswith((".safetensors", ".png")) else "regular" for file in files}
            return self.answer({"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]})
        if path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**wanted, "actions": {"upload": {"href": f"{hub.address}/lfs/{wanted['oid']}"}}} for wanted in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        if path.endswith("/commit/main"):
            repository = path.removeprefix("/api/models/").removesuffix("/commit/main")
            for line in body.splitlines():
                said = json.loads(line)
                if said["key"] == "file":
                    hub.files[repository][said["value"]["path"]] = base64.b64decode(said["value"]["content"])
                elif said["key"] == "lfsFile":
                    hub.files[repository][said["value"]["path"]] = hub.stored[said["value"]["oid"]]
            return self.answer({"commitUrl": f"{hub.address}/{repository}/commit/{'0' * 40}", "commitOid": "0" * 40})
        return self.answer({"error": f"no {path}"}, 404)

    def do_PUT(self):
        body = self.body()
        self.server.stored[hashlib.sha256(body).hexdigest()] = body
        self.answer({})

    def do_GET(self):
        self.server.called.append(self.path)
        repository = self.path.removeprefix("/api/models/").partition("/")
        name = "/".join((repository[0], repository[2].partition("/")[0].partition("?")[0]))
        if name in self.server.files:
            return self.answer({"id": name, "sha": "0" * 40, "siblings": []})
        return self.answer({"error": "not there"}, 404)


@contextmanager
def small_hub(may_write=("anna",)):
    """The hub while the block runs; `may_write` are the owners whose repositories the token may make."""
    hub = ThreadingHTTPServer(("127.0.0.1", 0), SmallHub)
    hub.address = f"http://127.0.0.1:{hub.server_address[1]}"
    hub.files, hub.stored, hub.private, hub.called, hub.may_write = {}, {}, {}, [], may_write
    Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
