"""What KServe's own InferenceRESTClient does against an endpoint, asserted in its own language."""

import asyncio

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

MODEL = "datatypes"
DATATYPES = {
    "BOOL": [True, False],
    "INT8": [-128, 127],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "UINT8": [0, 255],
    "UINT16": [0, 2**16 - 1],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "FP16": [65504.0, -0.5],
    "FP32": [3.4028234663852886e38, -1e-45],
    "FP64": [1.7976931348623157e308, -5e-324],
    "BYTES": ["Zürich 😀", ""],
}
NUMPY = {"BOOL": np.bool_, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BYTES": np.object_}

url = None
loop = asyncio.new_event_loop()


def connect(url):
    globals()["url"] = url


def client(protocol="v2"):
    return InferenceRESTClient(RESTConfig(protocol=protocol, timeout=30, retries=0))


def run(call, protocol="v2"):
    """One call of a client that lives as long."""

    async def once():
        async with client(protocol) as each:
            return await call(each)

    return loop.run_until_complete(once())


def array_of(datatype):
    dtype = NUMPY.get(datatype) or np.dtype(datatype.lower())
    return np.array([DATATYPES[datatype]], dtype=dtype)


def tensor(datatype, form):
    array = array_of(datatype)
    made = InferInput(datatype, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=form == "binary")
    return made


def request(form, outputs=None, **options):
    # The client sends FP16 in binary form only.
    inputs = [tensor(each, "binary" if each == "FP16" else form) for each in DATATYPES]
    asked = None if outputs is None else [RequestedOutput(name, {"binary_data": binary}) for name, binary in outputs]
    return InferRequest(model_name=MODEL, infer_inputs=inputs, request_outputs=asked, **options)


def expect_echo(response, datatype):
    output = next(each for each in response.outputs if each.name == f"{datatype}_out")
    assert output.datatype == datatype, output.datatype
    actual, expected = output.as_numpy(), array_of(datatype)
    assert actual.shape == expected.shape, actual.shape
    texts = [each.decode() if isinstance(each, bytes) else each for each in actual.flatten().tolist()]
    assert texts == expected.flatten().tolist(), f"{texts} in place of {expected}"


def server_live():
    assert run(lambda each: each.is_server_live(url)) is True


def server_ready():
    assert run(lambda each: each.is_server_ready(url)) is True


def model_ready():
    assert run(lambda each: each.is_model_ready(url, MODEL)) is True
    assert run(lambda each: each.is_model_ready(url, "nobody")) is False


def infer(datatype, input_form, output_form):
    asked = request(input_form, [(f"{datatype}_out", output_form == "binary")])
    response = run(lambda each: each.infer(url, asked, model_name=MODEL))
    assert [output.name for output in response.outputs] == [f"{datatype}_out"]
    expect_echo(response, datatype)


def infer_all(form):
    response = run(lambda each: each.infer(url, request(form, parameters={"binary_data_output": form == "binary"}), model_name=MODEL))
    assert response.model_name == MODEL
    for datatype in DATATYPES:
        expect_echo(response, datatype)


def infer_dictionary():
    """A document of the caller's own, sent as JSON."""
    inputs = [
        {"name": each, "datatype": each, "shape": [1, len(values)], "data": [values]} for each, values in DATATYPES.items()
    ]
    response = run(lambda each: each.infer(url, {"inputs": inputs, "outputs": [{"name": "INT64_out"}]}, model_name=MODEL))
    expect_echo(response, "INT64")


def request_id():
    response = run(lambda each: each.infer(url, request("binary", [("BOOL_out", True)], request_id="id-7"), model_name=MODEL))
    assert response.id == "id-7", response.id


def empty_tensor():
    """Of a tensor without elements the client sends `"data": null` beside `"binary_data_size": 0`."""
    asked = request("binary", [("INT8_out", False)])
    asked.inputs = [each for each in asked.inputs if each.name != "INT8"]
    empty = InferInput("INT8", [0, 3], "INT8")
    empty.set_data_from_numpy(np.zeros((0, 3), dtype=np.int8), binary_data=True)
    asked.inputs.append(empty)
    response = run(lambda each: each.infer(url, asked, model_name=MODEL))
    assert (response.outputs[0].shape, list(response.outputs[0].data)) == ([0, 3], []), response.outputs[0]


def predict_v1():
    """Its other protocol, which TensorFlow Serving's predict is."""
    response = run(lambda each: each.infer(url, {"instances": [1.0, 2.0, 5.0]}, model_name="half_plus_two"), "v1")
    assert response == {"predictions": [2.5, 3.0, 4.5]}, response


def expect_error(call, status, message, protocol="v2"):
    try:
        run(call, protocol)
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == status, error
        assert message in str(error), error
        return
    raise AssertionError("the client raised nothing")


def error_unknown_model():
    # API Gateway has no such route.
    expect_error(lambda each: each.infer(url, request("binary"), model_name="nobody"), 404, "Not Found")


def error_wrong_request():
    asked = request("binary")
    asked.inputs = asked.inputs[1:]
    expect_error(lambda each: each.infer(url, asked, model_name=MODEL), 400, 'The input "BOOL" is missing')
    expect_error(lambda each: each.infer(url, {"instances": "x"}, model_name="half_plus_two"), 400, 'instances are "x"', "v1")
