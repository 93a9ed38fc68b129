"""A server and a client on Python's own HTTP/1 parser, where there is no Go. Says the same as go/main.go."""
import http.client
import http.server
import json
import sys
import threading
import urllib.parse


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        whole = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                break
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass
        return whole

    def answer(self):
        say({"method": self.command, "target": self.path, "body": self.body().hex()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    say({"port": server.server_address[1]})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


def fetch():
    for line in sys.stdin:
        url = line.strip()
        parts = urllib.parse.urlsplit(url)
        result = {"id": url, "status": 0, "body": "", "error": ""}
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request("GET", parts.path)
            response = connection.getresponse()
            result["status"] = response.status
            result["body"] = response.read().hex()
        except Exception as error:  # whatever it is, it could not be read
            result["error"] = repr(error)
        connection.close()
        say(result)


fetch() if sys.argv[1:] == ["fetch"] else serve()
