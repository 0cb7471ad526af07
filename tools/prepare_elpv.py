"""`glore-video prepare-elpv` from a checkout."""

import sys

from glore_video.cli.main import command

if __name__ == "__main__":
    sys.exit(command("prepare-elpv"))
