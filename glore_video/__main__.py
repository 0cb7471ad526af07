"""`python -m glore_video`: the `glore-video` command."""

import sys

from glore_video.cli.main import command

if __name__ == "__main__":
    sys.exit(command())
