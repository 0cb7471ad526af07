"""Train and test a network: python tools/run_net.py --cfg configs/k400_glore_r50.yaml [KEY VALUE ...]"""

import sys

from glore_video.cli.main import command

if __name__ == "__main__":
    sys.exit(command())
