"""The peer of handler-process.mjs: fastapi_app.py called in-process, and bare session.run on the same tensor, in turn.

    MODEL=<model.onnx> python fastapi_process.py <asgi|mangum> <runs>

asgi: the body as bytes. mangum: the very event that our handler gets, through the adapter that puts FastAPI on Lambda.
"""
import asyncio
import base64
import json
import sys
import time

import numpy as np
from mangum import Mangum

from fastapi_app import app, output_names, session

adapter, runs = sys.argv[1], int(sys.argv[2])
PATH = "/v2/models/faces/infer"
data = np.sin(np.arange(256 * 256 * 3)).astype(np.float32).reshape(1, 256, 256, 3)
tensor = {"name": "input:0", "shape": [1, 256, 256, 3], "datatype": "FP32"}
head = json.dumps(
    {
        "inputs": [{**tensor, "parameters": {"binary_data_size": data.nbytes}}],
        "parameters": {"binary_data_output": True},
    }
).encode()
body = head + data.tobytes()
headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
scope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": PATH,
    "raw_path": PATH.encode(),
    "query_string": b"",
    "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}
event = {
    "version": "2.0",
    "routeKey": f"POST {PATH}",
    "rawPath": PATH,
    "rawQueryString": "",
    "headers": headers,
    "requestContext": {
        "http": {"method": "POST", "path": PATH, "sourceIp": "127.0.0.1"},
        "stage": "$default",
        "requestId": "bench",
    },
    "body": base64.b64encode(body).decode(),
    "isBase64Encoded": True,
}


async def through_asgi() -> None:
    status = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            status.append(message["status"])

    await app(dict(scope), receive, send)
    assert status == [200], status


def clock():
    return time.perf_counter() * 1000, time.process_time() * 1000


def main() -> None:
    bare, handled = [], []
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    mangum = Mangum(app, lifespan="off")

    def call():
        if adapter == "asgi":
            loop.run_until_complete(through_asgi())
            return
        result = mangum(event, {})
        assert result["statusCode"] == 200, result

    for run in range(-10, runs):
        wall, cpu = clock()
        session.run(output_names, {"input:0": data})
        wall_1, cpu_1 = clock()
        call()
        wall_2, cpu_2 = clock()
        if run >= 0:
            bare.append({"wall": wall_1 - wall, "cpu": cpu_1 - cpu})
            handled.append({"wall": wall_2 - wall_1, "cpu": cpu_2 - cpu_1})
    print(json.dumps({"bare": bare, "handled": handled}))


main()
