"""What tritonclient does against an endpoint, asserted in its own language."""

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype, triton_to_np_dtype

MODEL = "datatypes"
DATATYPES = [
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
# JSON has no way to write these; see `infer_non_finite`.
NON_FINITE = [np.inf, -np.inf, np.nan]

client = None


def connect(url):
    global client
    client = InferenceServerClient(url=url.removeprefix("http://"), network_timeout=30)


def edge_values(datatype):
    """The values where a codec goes wrong, if it does, in a row of the data type."""
    dtype = triton_to_np_dtype(datatype)
    if datatype == "BYTES":
        return np.array([["", "plain", 'quote " and \\ and /', "newline\n", "Zürich", "日本", "😀", "{}"]], dtype=np.object_)
    if datatype == "BOOL":
        return np.array([[True, False, True]], dtype=dtype)
    if datatype.startswith("FP"):
        info = np.finfo(dtype)
        values = [0.0, -0.0, 1.0, -1.5, info.max, info.min, info.tiny, info.smallest_subnormal, info.eps, 1 / 3]
        return np.array([values], dtype=dtype)
    info = np.iinfo(dtype)
    return np.array([[info.min, info.max, info.max - 1, info.max // 3, 0, 1, 42]], dtype=dtype)


def bits(array):
    """Bytes, so that -0 differs from 0 and one NaN from another; of BYTES the elements, which come back as bytes."""
    if array.dtype == np.object_:
        return [element if isinstance(element, bytes) else element.encode() for element in array.flatten()]
    return array.tobytes()


def expect_same(actual, expected):
    assert actual is not None, "there is no such output"
    assert actual.shape == expected.shape, f"{actual.shape} in place of {expected.shape}"
    assert actual.dtype == expected.dtype, f"{actual.dtype} in place of {expected.dtype}"
    assert bits(actual) == bits(expected), f"{actual} in place of {expected}"


def tensor(datatype, array, form):
    return InferInput(datatype, list(array.shape), datatype).set_data_from_numpy(array, binary_data=form == "binary")


def every_input(datatype=None, array=None, form="binary"):
    """One input per data type: the one that counts as asked for, the others a single element."""
    rest = [name for name in DATATYPES if name != datatype]
    inputs = [tensor(name, edge_values(name)[:, 1:2], "binary") for name in rest]
    # In the middle, so that binary data lies before and after it.
    return inputs if datatype is None else [*inputs[:5], tensor(datatype, array, form), *inputs[5:]]


def infer_one(datatype, array, input_form, output_form):
    result = client.infer(
        MODEL,
        every_input(datatype, array, input_form),
        outputs=[InferRequestedOutput(f"{datatype}_out", binary_data=output_form == "binary")],
    )
    outputs = result.get_response()["outputs"]
    assert [output["name"] for output in outputs] == [f"{datatype}_out"], outputs
    assert outputs[0]["datatype"] == datatype, outputs
    assert ("data" in outputs[0]) == (output_form == "json"), outputs
    return result.as_numpy(f"{datatype}_out")


def server_live():
    assert client.is_server_live() is True


def server_ready():
    assert client.is_server_ready() is True


def server_metadata():
    metadata = client.get_server_metadata()
    assert metadata["name"] == "cdk-onnx" and metadata["version"], metadata
    assert metadata["extensions"] == ["binary_tensor_data"], metadata


def model_ready(version):
    assert client.is_model_ready(MODEL, version) is True


def model_not_ready(model, version):
    assert client.is_model_ready(model, version) is False


def model_metadata(version):
    metadata = client.get_model_metadata(MODEL, version)
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == (MODEL, ["2"], "onnxruntime_onnx"), metadata
    inputs = [(each["name"], each["datatype"], each["shape"]) for each in metadata["inputs"]]
    assert inputs == [(name, name, [-1, -1]) for name in DATATYPES], inputs
    outputs = [(each["name"], each["datatype"], each["shape"]) for each in metadata["outputs"]]
    assert outputs == [(f"{name}_out", name, [-1, -1]) for name in DATATYPES], outputs


def infer(datatype, input_form, output_form):
    expected = edge_values(datatype)
    expect_same(infer_one(datatype, expected, input_form, output_form), expected)


def infer_non_finite(datatype):
    expected = np.array([NON_FINITE], dtype=triton_to_np_dtype(datatype))
    expect_same(infer_one(datatype, expected, "binary", "binary"), expected)
    expect_error(
        lambda: infer_one(datatype, expected, "binary", "json"), "422", "is infinite or not a number, which JSON cannot write"
    )


def infer_bytes_type():
    """numpy's own type of bytes, in place of objects."""
    array = np.array([[b"one", b"three"]])
    expect_same(infer_one("BYTES", array, "binary", "binary"), array.astype(np.object_))


def infer_all(input_form, output_form):
    expected = {name: edge_values(name) for name in DATATYPES}
    forms = {name: ["json", "binary"][index % 2] if input_form == "mixed" else input_form for index, name in enumerate(DATATYPES)}
    inputs = [tensor(name, expected[name], forms[name]) for name in DATATYPES]
    # The other way round than the inputs, so that each data type has both.
    outputs = [
        InferRequestedOutput(f"{name}_out", binary_data=forms[name] == "json" if output_form == "mixed" else output_form == "binary")
        for name in DATATYPES
    ]
    result = client.infer(MODEL, inputs, outputs=outputs)
    for name in DATATYPES:
        expect_same(result.as_numpy(f"{name}_out"), expected[name])


def infer_all_outputs_unasked():
    """Without outputs the client asks for all of them in binary form."""
    result = client.infer(MODEL, every_input())
    response = result.get_response()
    assert (response["model_name"], response["model_version"]) == (MODEL, "2"), response
    assert [output["name"] for output in response["outputs"]] == [f"{name}_out" for name in DATATYPES], response
    for name in DATATYPES:
        expect_same(result.as_numpy(f"{name}_out"), edge_values(name)[:, 1:2])


def requested_outputs_order():
    names = ["FP32_out", "BOOL_out", "BYTES_out"]
    result = client.infer(MODEL, every_input(), outputs=[InferRequestedOutput(name) for name in names])
    assert [output["name"] for output in result.get_response()["outputs"]] == names, result.get_response()
    assert result.as_numpy("INT8_out") is None


def request_id():
    for given in ["a-1", "ü 😀 \"quoted\""]:
        result = client.infer(MODEL, every_input(), request_id=given)
        assert result.get_response()["id"] == given, result.get_response()
    assert "id" not in client.infer(MODEL, every_input()).get_response()


def infer_version():
    result = client.infer(MODEL, every_input(), model_version="2")
    assert result.get_response()["model_version"] == "2", result.get_response()


def dynamic_dimensions(rows, columns):
    expected = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    for form in ["binary", "json"]:
        expect_same(infer_one("FP32", expected, form, form), expected)


def parameters():
    """Parameters that mean nothing to the endpoint do no harm."""
    client.infer(MODEL, every_input(), priority=1, timeout=5_000_000, sequence_id=7, parameters={"mine": "yes"})


def asynchronous():
    requests = [client.async_infer(MODEL, every_input()) for _ in range(4)]
    for request in requests:
        expect_same(request.get_result().as_numpy("INT64_out"), edge_values("INT64")[:, 1:2])


def large():
    """1 MB in and out."""
    expected = np.arange(512 * 512, dtype=np.float32).reshape(512, 512)
    expect_same(infer_one("FP32", expected, "binary", "binary"), expected)


def expect_error(call, status, message):
    try:
        call()
    except InferenceServerException as error:
        assert error.status() == status, f"status {error.status()}: {error.message()}"
        assert message in error.message(), error.message()
        return
    raise AssertionError("the client raised nothing")


def error_unknown_model():
    # API Gateway has no such route.
    expect_error(lambda: client.infer("nobody", every_input()), "404", "")


def error_unknown_version():
    expect_error(lambda: client.infer(MODEL, every_input(), model_version="3"), "404", 'has no version "3" here')
    expect_error(lambda: client.get_model_metadata(MODEL, "3"), "404", 'has no version "3" here')


def error_missing_input():
    expect_error(lambda: client.infer(MODEL, every_input()[1:]), "400", 'The input "BOOL" is missing')


def error_wrong_datatype():
    array = np.zeros((1, 1), dtype=np.float32)
    wrong = InferInput("INT64", [1, 1], np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)
    others = [each for each in every_input() if each.name() != "INT64"]
    expect_error(lambda: client.infer(MODEL, [*others, wrong]), "400", "the model takes INT64")


def error_wrong_rank():
    others = [each for each in every_input() if each.name() != "FP32"]
    wrong = tensor("FP32", np.zeros((2,), dtype=np.float32), "binary")
    expect_error(lambda: client.infer(MODEL, [*others, wrong]), "400", 'The shape of input "FP32" is [2]')


def error_unknown_output():
    expect_error(
        lambda: client.infer(MODEL, every_input(), outputs=[InferRequestedOutput("nothing")]), "400", 'no output "nothing"'
    )


def error_not_utf8():
    expect_error(
        lambda: infer_one("BYTES", np.array([[b"\xff\xfe"]], dtype=np.object_), "binary", "binary"), "400", "is not UTF-8"
    )


def error_nul():
    """onnxruntime-node would cut the string there."""
    for form in ["binary", "json"]:
        expect_error(
            lambda: infer_one("BYTES", np.array([["a\0b"]], dtype=np.object_), form, "json"), "400", "has the character U+0000"
        )


def error_classification():
    asked = InferRequestedOutput("FP32_out", class_count=3)
    expect_error(lambda: client.infer(MODEL, every_input(), outputs=[asked]), "400", "classification")


def error_shared_memory():
    inputs = every_input()
    inputs[0].set_shared_memory("region", 1)
    expect_error(lambda: client.infer(MODEL, inputs), "400", "shared_memory_region")


def error_compressed():
    expect_error(lambda: client.infer(MODEL, every_input(), request_compression_algorithm="gzip"), "415", "gzip")


def response_compression_declined():
    result = client.infer(MODEL, every_input(), response_compression_algorithm="gzip")
    expect_same(result.as_numpy("FP64_out"), edge_values("FP64")[:, 1:2])
