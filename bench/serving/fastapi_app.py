"""FastAPI with onnxruntime, as one would write it for V2: JSON or binary tensors in, the same form out.

MODEL names the ONNX file. Imported by fastapi_process.py, and run by uvicorn as `fastapi_app:app`.
"""
import json
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
output_names = [output.name for output in session.get_outputs()]
app = FastAPI()


@app.get("/v2/health/ready")
async def ready() -> dict:
    return {"ready": True}


@app.post("/v2/models/{name}/infer")
async def infer(name: str, request: Request) -> Response:
    body = await request.body()
    length = request.headers.get("inference-header-content-length")
    return from_json(name, body) if length is None else from_binary(name, body, int(length))


def from_binary(name: str, body: bytes, length: int) -> Response:
    header = json.loads(body[:length])
    offset, feeds = length, {}
    for tensor in header["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        feeds[tensor["name"]] = np.frombuffer(body, np.float32, size // 4, offset).reshape(tensor["shape"])
        offset += size
    results = session.run(output_names, feeds)
    blobs = [result.tobytes() for result in results]
    outputs = [
        {"name": n, "datatype": "FP32", "shape": list(r.shape), "parameters": {"binary_data_size": len(b)}}
        for n, r, b in zip(output_names, results, blobs)
    ]
    head = json.dumps({"model_name": name, "model_version": "1", "outputs": outputs}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    return Response(b"".join([head, *blobs]), media_type="application/octet-stream", headers=headers)


def from_json(name: str, body: bytes) -> Response:
    document = json.loads(body)
    feeds = {t["name"]: np.array(t["data"], np.float32).reshape(t["shape"]) for t in document["inputs"]}
    results = session.run(output_names, feeds)
    outputs = [
        {"name": n, "datatype": "FP32", "shape": list(r.shape), "data": r.ravel().tolist()}
        for n, r in zip(output_names, results)
    ]
    answer = json.dumps({"model_name": name, "model_version": "1", "outputs": outputs})
    return Response(answer, media_type="application/json")
