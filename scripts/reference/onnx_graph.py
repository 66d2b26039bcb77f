"""A small ONNX model made by Python's onnx, as golden bytes for our own writer.

Usage: python scripts/reference/onnx_graph.py src/convert/onnx/fixtures/graph.json
Needs: onnx.

The model uses what ours use: external and inline tensors, symbolic shapes, both domains, every kind of attribute,
inputs that are left out.
"""

import base64
import json
import sys

import onnx
from onnx import AttributeProto, TensorProto, helper


def external(name, dtype, shape, location, offset, length):
    tensor = TensorProto(name=name, data_type=dtype, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in dict(location=location, offset=str(offset), length=str(length)).items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def node(op, inputs, outputs, domain=None, **attributes):
    made = helper.make_node(op, inputs, outputs, name=f"{outputs[0]}/{op}")
    if domain:
        made.domain = domain
    for name, value in attributes.items():
        attribute = made.attribute.add(name=name)
        if isinstance(value, float):
            attribute.f, attribute.type = value, AttributeProto.FLOAT
        elif isinstance(value, int):
            attribute.i, attribute.type = value, AttributeProto.INT
        else:
            attribute.ints.extend(value)
            attribute.type = AttributeProto.INTS
    return made


def main():
    graph = helper.make_graph(
        [
            node("Unsqueeze", ["x", "axis"], ["wide"]),
            node("MatMulNBits", ["wide", "w.data", "w.scales", ""], ["y"], "com.microsoft", K=64, N=300, bits=4),
            node("LayerNormalization", ["y"], ["z", "", "sum"], axis=-1, epsilon=1e-5),
            node("Transpose", ["z"], ["logits"], perm=[0, 2, 1]),
        ],
        "small",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64]),
            helper.make_tensor_value_info("keep", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT16, ["batch", "tokens", 300])],
        [
            TensorProto(name="axis", data_type=TensorProto.INT64, dims=[1], raw_data=(-1).to_bytes(8, "little", signed=True)),
            external("w.data", TensorProto.UINT8, [300, 2, 16], "small.onnx_data", 0, 9600),
            external("w.scales", TensorProto.FLOAT, [600], "small.onnx_data", 9600, 2400),
            external("late", TensorProto.INT8, [5, 7], "small.onnx_data_1", 0, 35),
        ],
    )
    model = helper.make_model(graph, ir_version=9, producer_name="metaaligner",
                              opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)])
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({
            "maker": "scripts/reference/onnx_graph.py",
            "versions": {"onnx": onnx.__version__},
            "model": base64.b64encode(model.SerializeToString(deterministic=True)).decode(),
        }, file, indent=2)
        file.write("\n")


main()
