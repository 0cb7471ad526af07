"""One computing thread a test process: the networks are small, and tests run side by side."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start, too

import torch

torch.set_num_threads(1)
