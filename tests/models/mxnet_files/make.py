"""Writes the .params files beside this script: python make.py, with mxnet 1.9.1 on Python 3.8.

`pip install "mxnet==1.9.1" "numpy<1.24"`. `test_mxnet_params.py` reads them.
"""

import pathlib

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).parent
CHANNELS, NODES, STATES = 6, 2, 4


def bn_relu_conv(data, filters, kernel, name):
    bn = mx.sym.BatchNorm(data=data, fix_gamma=False, eps=1e-4, name=name + "_bn")
    relu = mx.sym.Activation(data=bn, act_type="relu", name=name + "_relu")
    return mx.sym.Convolution(
        data=relu, num_filter=filters, kernel=kernel, no_bias=True, name=name + "_conv"
    )


def unit(name):
    """The unit of the paper's ImageNet networks, with the names that its parameters have there."""
    x = mx.sym.Variable("data")
    state = bn_relu_conv(x, STATES, (1, 1), name + "_conv-state")
    proj = bn_relu_conv(x, NODES, (1, 1), name + "_conv-proj")
    b = mx.sym.reshape(proj, shape=(0, 0, -1))
    v = mx.sym.batch_dot(mx.sym.reshape(state, shape=(0, 0, -1)), b, transpose_b=True)
    mixed = bn_relu_conv(mx.sym.transpose(v, axes=(0, 2, 1)), NODES, (1,), name + "_GCN-G")
    v = v + mx.sym.transpose(mixed, axes=(0, 2, 1))
    z = bn_relu_conv(v, STATES, (1,), name + "_GCN-GHW")
    y = mx.sym.reshape_like(mx.sym.batch_dot(z, b), state)
    return x + bn_relu_conv(y, CHANNELS, (1, 1), name + "_fc-2")


def write_unit():
    """Parameters of one unit, an input and what MXNet makes of it in evaluation."""
    rng = np.random.RandomState(0)
    symbol, shape = unit("conv3_B01_extra"), (2, CHANNELS, 3, 5)
    arguments, _, states = symbol.infer_shape(data=shape)
    values = dict(zip(symbol.list_arguments(), arguments))  # noqa: B905
    args = {k: mx.nd.array(rng.standard_normal(s)) for k, s in values.items()}
    aux = {
        k: mx.nd.array(rng.uniform(0.5, 2, s))
        for k, s in zip(symbol.list_auxiliary_states(), states)  # noqa: B905
    }
    output = symbol.bind(mx.cpu(), args, aux_states=aux).forward(is_train=False)[0]
    saved = {"arg:" + k: v for k, v in args.items()}
    saved.update({"aux:" + k: v for k, v in aux.items()})
    mx.nd.save(str(HERE / "unit.params"), {**saved, "output": output})


def write_types():
    types = ("float32", "float64", "float16", "uint8", "int8", "int32", "int64", "bool")
    arrays = {f"arg:{t}": mx.nd.array([[0, 1, 1], [1, 0, 1]], dtype=t) for t in types}
    arrays["aux:moving"] = mx.nd.array([0.25, -3.5])
    mx.nd.save(str(HERE / "types.params"), arrays)


def write_others():
    mx.nd.save(str(HERE / "sparse.params"), {"w": mx.nd.sparse.csr_matrix(np.eye(3))})
    mx.nd.save(str(HERE / "unnamed.params"), [mx.nd.array([1.0])])
    layer = mx.gluon.nn.BatchNorm(in_channels=2, prefix="")
    layer.initialize()
    layer.save_parameters(str(HERE / "gluon.params"))
    with mx.util.np_shape(True):
        scalar = mx.nd.array(np.float32(3.5).reshape(()))
        mx.nd.save(str(HERE / "numpy_shapes.params"), {"s": scalar, "none": mx.nd.zeros((0, 3))})


if __name__ == "__main__":
    write_unit()
    write_types()
    write_others()
