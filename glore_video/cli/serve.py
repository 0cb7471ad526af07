"""`glore-video serve`: arguments -> a network -> a server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from glore_video.cli.arguments import (
    above_zero,
    add_model_arguments,
    add_view_arguments,
    positive,
    seconds,
    whole,
)
from glore_video.cli.guarding import guarded
from glore_video.cli.programs import command_parser
from glore_video.errors import UsageError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "serve",
        "A page on which to drop videos or pictures: what is in them, when, and where the network looks.",
        examples=["--weights outputs/quickstart_same_glore"],
    )
    add_model_arguments(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address; only this machine by default")
    parser.add_argument("--port", type=whole(1, 65535), default=8000)
    add_view_arguments(parser)
    parser.set_defaults(crops=1)
    parser.add_argument("--max-megabytes", type=above_zero, default=200.0, help="of an upload")
    parser.add_argument("--max-seconds", type=seconds, default=300.0, help="length of a video")
    parser.add_argument("--max-waiting", type=positive, default=20, help="files at a time")
    parser.add_argument(
        "--keep-minutes", type=above_zero, default=30.0, help="results stay so long"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until it is stopped. Returns the exit status."""
    args = parser().parse_args(argv)
    return guarded(lambda: _serve(args))


def _serve(args: argparse.Namespace) -> int:
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(f"serving needs {' and '.join(missing)}: pip install 'glore-video[serve]'")

    # Not before all is checked that can be without them: they load torch.
    from glore_video.cli.terminal import chosen_model
    from glore_video.engine.run_log import setup_logging

    setup_logging(None, is_main=True)
    predictor = chosen_model(args)
    import uvicorn

    from glore_video.serving.app import Limits, create_app

    limits = Limits(
        megabytes=args.max_megabytes,
        seconds=args.max_seconds,
        waiting=args.max_waiting,
        keep_minutes=args.keep_minutes,
    )
    local = args.host in _LOOPBACK
    if not local:
        print(
            f"serving on {args.host}: everybody who reaches this address can upload videos; there "
            "is no password and no encryption",
            file=sys.stderr,
        )
    app = create_app(
        predictor, limits, hosts=("127.0.0.1", "localhost", "[::1]") if local else ("*",)
    )
    shown = f"[{args.host}]" if ":" in args.host else args.host
    print(f"http://{shown}:{args.port}/   ({predictor.source}; Ctrl-C stops)", file=sys.stderr)
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning", access_log=False)
    return 0
