"""As plain-handler.mjs, in Python: onnxruntime and numpy, a model with its weights inside, default options."""
import base64
import json
import time

import numpy as np
import onnxruntime as ort

with open("inputs.json") as file:
    inputs = json.load(file)
start = time.time()
session = ort.InferenceSession("model.onnx")
print(json.dumps({"SessionCreationTime": (time.time() - start) * 1000}), flush=True)


def handler(event, context):
    body = base64.b64decode(event["body"])
    feeds = {}
    offset = 0
    for tensor in inputs:
        piece = body[offset : offset + tensor["bytes"]]
        feeds[tensor["name"]] = np.frombuffer(piece, tensor["dataType"]).reshape(tensor["shape"])
        offset += tensor["bytes"]
    results = session.run(None, feeds)
    return {"statusCode": 200, "body": base64.b64encode(b"".join(output.tobytes() for output in results)).decode()}
