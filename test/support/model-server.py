"""
Stands for a model server as vLLM and llama.cpp behave: /health is 503 while the model loads, /v1/models and
/v1/chat/completions, streamed as server-sent events with data: [DONE] at the end. One token each 5 ms. It has SLOTS slots;
a request beyond them waits inside, as theirs do. GET /figures tells what was generated: a client that left must stop it.

usage: model-server.py NAME SLOTS LOADING_SECONDS
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, SLOTS, LOADING = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
STARTED = time.monotonic()
slots = threading.Semaphore(SLOTS)
lock = threading.Lock()
figures = {"requests": 0, "now": 0, "most": 0, "tokens": 0, "stopped": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        loading = time.monotonic() - STARTED < LOADING
        if self.path == "/health":
            error = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
            self.answer(503 if loading else 200, error if loading else {"status": "ok"})
        elif self.path == "/figures":
            self.answer(200, figures)
        elif self.path == "/v1/models":
            self.answer(200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})
        else:
            self.answer(404, {"error": "File Not Found"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            figures["requests"] += 1
            figures["now"] += 1
            figures["most"] = max(figures["most"], figures["now"])
        self.counted = True
        try:
            with slots:
                self.generate(asked)
        except (BrokenPipeError, ConnectionResetError):
            figures["stopped"] += 1
            self.close_connection = True
        finally:
            self.leave()

    def leave(self):
        with lock:
            if self.counted:
                figures["now"] -= 1
            self.counted = False

    def generate(self, asked):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Server", NAME)
        self.end_headers()
        for n in range(asked.get("max_tokens", 8)):
            time.sleep(0.005)
            figures["tokens"] += 1
            delta = {"model": NAME, "choices": [{"index": 0, "delta": {"content": f"token{n} "}}]}
            self.chunk(f"data: {json.dumps(delta)}\n\n")
        self.chunk("data: [DONE]\n\n")
        # Who reads the end may send the next request before this thread comes to its next line.
        self.leave()
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
