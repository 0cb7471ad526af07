"""What is counted of compiled code, and of a GPU's profile."""

from types import SimpleNamespace

import pytest
import torch
from kernels import Kernels, calls_of, compiled_calls, gpu_kernels, kernels_among, without_caches

ON_A_CPU = '''
aten = torch.ops.aten
async_compile = AsyncCompile()
cpp_fused_add_0 = async_compile.cpp_pybinding(['float*'], r"""void kernel(){ extern_kernels.mm(1); }""")
async_compile.wait(globals())
del async_compile

class Runner:
    def __init__(self, partitions):
        self.partitions = partitions
    def call(self, args):
        primals_1, primals_2 = args
        assert_size_stride(primals_1, (4, 4), (4, 1), 'input')
        buf0 = empty_strided_cpu((4, 4), (4, 1), torch.float32)
        # Topologically Sorted Source Nodes: [extern_kernels.mm(], Original ATen: [aten.mm]
        extern_kernels.mm(primals_1, reinterpret_tensor(primals_2, (4, 4), (4, 1), 0), out=buf0)
        cpp_fused_add_0(buf0)
        buf1 = torch.ops.aten.convolution_backward.default(buf0, primals_1)
        return (buf1, )

runner = Runner(partitions=[])
call = runner.call

def get_args():
    return [extern_kernels.mm(1)]

def benchmark_compiled_module(args, times=10, repeat=10):
    cpp_fused_add_0(args)
'''
ON_A_GPU = """
triton_poi_fused_add_0 = async_compile.triton('triton_poi_fused_add_0', \'\'\'tl.dot(a)\'\'\')
async_compile.wait(globals())
def partition_0(args):
    triton_poi_fused_add_0.run(arg0_1, buf0, 16, stream=stream0)
    lean_kernel_1.run(buf0, 16, stream=stream0)
    extern_kernels.bmm(buf0, arg1_1, out=buf1)
    aten.index_put_(buf1, [arg0_1], arg1_1)
def call(args):
    return partition_0(args)
"""


def test_calls_of_generated_code():
    assert calls_of(ON_A_CPU) == 3
    assert calls_of(ON_A_GPU) == 4


@pytest.mark.slow
def test_nothing_compiled_is_nothing_counted():
    assert compiled_calls(lambda: torch.ones(2) + 1) is None


@pytest.mark.slow
def test_calls_of_a_compiled_function():
    torch.compiler.reset()
    a = torch.randn(8, 8)
    compiled = torch.compile(lambda x: torch.mm(x, x).relu() + 1)
    with without_caches():
        found = compiled_calls(lambda: compiled(a))
        assert compiled_calls(lambda: compiled(a)) is None  # which was compiled before
    torch.compiler.reset()
    assert found is not None
    assert found.calls == 2  # the product, and the rest as one kernel
    assert found.seconds > 0


def event(device, microseconds, *, named=False):
    span = SimpleNamespace(elapsed_us=lambda: microseconds)
    return SimpleNamespace(device_type=device, time_range=span, is_user_annotation=named)


def test_kernels_of_a_profile():
    cpu, cuda = torch.autograd.DeviceType.CPU, torch.autograd.DeviceType.CUDA
    events = [event(cpu, 1000), event(cuda, 30), event(cuda, 12), event(cuda, 42, named=True)]
    count, seconds = kernels_among(events)
    assert count == 2
    assert seconds == pytest.approx(42e-6)
    assert kernels_among([]) == Kernels(0, 0)


def test_a_cpu_has_no_kernels():
    assert gpu_kernels(lambda: None, torch.device("cpu")) is None


def test_events_of_this_torch_have_what_is_asked_of_them():
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        torch.ones(2) + 1
    assert list(profile.events())
    assert kernels_among(profile.events()) == Kernels(0, 0)


@pytest.mark.gpu
def test_kernels_of_a_gpu():
    x = torch.randn(1024, 1024, device="cuda")
    count, seconds = gpu_kernels(lambda: (x + 1) * 2, x.device)
    assert count == 2
    assert 0 < seconds < 0.1
