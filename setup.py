"""The packages; everything else is in setup.cfg, which can't name one beside those that it finds.

configs/ of a checkout is installed as glore_video/configs, where `--cfg NAME` looks.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["glore_video*"]), "glore_video.configs"])
