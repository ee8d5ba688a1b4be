"""A client of the Runtime API that does what each event asks for."""

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request

PREFIX = "/2018-06-01/runtime"
served = 0
longest_gap = 0.0
last_context = {}
raised = []


class FunctionError(Exception):
    pass


def call(connection, method, path, body=None):
    connection.request(method, PREFIX + path, body)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def connect(address):
    host, port = address
    try:
        socket.create_connection((host, port), timeout=5).close()
        return "connected"
    except OSError as error:
        return type(error).__name__ + ": " + str(error)


def resolve(name):
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        return type(error).__name__


def write(path):
    try:
        with open(path, "a"):
            return "written"
    except OSError as error:
        return type(error).__name__


def fill(path, megabytes):
    try:
        with open(path, "wb") as file:
            for _ in range(megabytes):
                file.write(b"x" * 1024 * 1024)
        return "written"
    except OSError as error:
        return type(error).__name__
    finally:
        os.unlink(path)


def fetch(method, url, body):
    request = urllib.request.Request(url, data=body and body.encode(), method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return [response.status, response.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, ""]


def beat():
    global longest_gap
    last = time.monotonic()
    while True:
        time.sleep(0.01)
        now = time.monotonic()
        longest_gap = max(longest_gap, now - last)
        last = now


def daemon():
    """A grandchild in a session of its own, whose parent is gone."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(0.01)
        os._exit(0)
    os.wait()


def break_off():
    """Announces an answer, sends half of it, and is gone."""
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    identifier = last_context["lambda-runtime-aws-request-id"]
    half = socket.create_connection((host, int(port)))
    half.sendall(
        f"POST {PREFIX}/invocation/{identifier}/response HTTP/1.1\r\n"
        f"Host: x\r\nContent-Length: 1000\r\n\r\nhalf".encode()
    )
    os._exit(9)


def handle(event):
    global served
    served += 1
    action = event.get("do", "echo")
    if action == "echo":
        return {"event": event, "served": served, "context": last_context}
    if action == "env":
        return dict(os.environ)
    if action == "print":
        print(event["text"], flush=True)
        return "printed"
    if action == "raise":
        raised.append(last_context["lambda-runtime-aws-request-id"])
        if len(raised) <= event.get("times", 1000):
            raise FunctionError(event["text"])
        return "not raised"
    if action == "raised":
        return raised
    if action == "exit":
        os._exit(event["status"])
    if action == "signal":
        os.kill(os.getpid(), getattr(signal, event["name"]))
        time.sleep(60)
    if action == "hang":
        while True:
            time.sleep(60)
    if action == "break off":
        break_off()
    if action == "big":
        return "x" * event["bytes"]
    if action == "allocate":
        memory = bytearray(os.urandom(1024 * 1024)) * event["megabytes"]
        time.sleep(event.get("seconds", 0))
        return len(memory)
    if action == "sleep":
        time.sleep(event["seconds"])
        return "slept"
    if action == "beat":
        threading.Thread(target=beat, daemon=True).start()
        return "beating"
    if action == "gap":
        return longest_gap
    if action == "daemon":
        daemon()
        return "left behind"
    if action == "connect":
        return connect(event["address"])
    if action == "resolve":
        return resolve(event["name"])
    if action == "write":
        return write(event["path"])
    if action == "fill":
        return fill(event["path"], event["megabytes"])
    if action == "exists":
        return os.path.exists(event["path"])
    if action == "processes":
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    if action == "fetch":
        return fetch(event["method"], event["url"], event.get("body"))
    raise FunctionError("unknown action " + action)


def main():
    global last_context
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    init = os.environ.get("INIT", "")
    if init == "exit":
        sys.exit(7)
    if init == "hang":
        time.sleep(600)
    if init == "slow":
        time.sleep(3)
    if init == "error":
        document = {"errorType": "Test.Init", "errorMessage": "cannot start"}
        call(connection, "POST", "/init/error", json.dumps(document))
        sys.exit(1)
    while True:
        _, headers, body = call(connection, "GET", "/invocation/next")
        identifier = headers["Lambda-Runtime-Aws-Request-Id"]
        last_context = {
            name.lower(): value
            for name, value in headers.items()
            if name.lower().startswith("lambda-runtime-")
        }
        try:
            kind, document = "response", handle(json.loads(body))
        except FunctionError as error:
            kind, document = "error", {"errorType": "Test", "errorMessage": str(error)}
        path = "/invocation/" + identifier + "/" + kind
        call(connection, "POST", path, json.dumps(document))


main()
