"""The peer of serving-handler.mjs: FastAPI called in-process through ASGI, and bare session.run on the same tensor, in turn.

    python serving_fastapi.py <model.onnx> <runs>
"""
import asyncio
import json
import sys
import time

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request, Response

model, runs = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
app = FastAPI()


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: Request) -> Response:
    length = int(request.headers["inference-header-content-length"])
    body = await request.body()
    header = json.loads(body[:length])
    offset, feeds = length, {}
    for tensor in header["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        count = size // 4
        feeds[tensor["name"]] = np.frombuffer(body, np.float32, count, offset).reshape(tensor["shape"])
        offset += size
    results = session.run(names, feeds)
    blobs = [result.tobytes() for result in results]
    outputs = [
        {"name": n, "datatype": "FP32", "shape": list(r.shape), "parameters": {"binary_data_size": len(b)}}
        for n, r, b in zip(names, results, blobs)
    ]
    head = json.dumps({"model_name": name, "model_version": "1", "outputs": outputs}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    return Response(b"".join([head, *blobs]), media_type="application/octet-stream", headers=headers)


data = np.sin(np.arange(256 * 256 * 3)).astype(np.float32).reshape(1, 256, 256, 3)
head = json.dumps(
    {
        "inputs": [
            {"name": "input:0", "shape": [1, 256, 256, 3], "datatype": "FP32", "parameters": {"binary_data_size": data.nbytes}}
        ],
        "parameters": {"binary_data_output": True},
    }
).encode()
body = head + data.tobytes()
scope = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/v2/models/faces/infer",
    "raw_path": b"/v2/models/faces/infer",
    "query_string": b"",
    "headers": [(b"inference-header-content-length", str(len(head)).encode())],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


async def call() -> None:
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


async def main() -> None:
    bare, handled = [], []
    for run in range(-10, runs):
        wall, cpu = clock()
        session.run(names, {"input:0": data})
        wall_1, cpu_1 = clock()
        await call()
        wall_2, cpu_2 = clock()
        if run >= 0:
            bare.append({"wall": wall_1 - wall, "cpu": cpu_1 - cpu})
            handled.append({"wall": wall_2 - wall_1, "cpu": cpu_2 - cpu_1})
    print(json.dumps({"bare": bare, "handled": handled}))


asyncio.run(main())
