"""The bot of a measurement, in a process of its own: `python -m tests.benchmarks._slack_server empty|cadence`.

Serves as `cadence run` does, says its port, and ends with its input. Settings come from the environment.
"""

import logging
import sys
import threading

import structlog
from waitress.server import create_server

from bot.app import build_app, flask_app
from bot.cli.run import HTTP_THREADS
from models.db import make_engine, make_sessions
from models.settings import Settings
from tests.benchmarks.slack import StandingClock, empty_app


def main() -> None:
    Settings.model_config["env_file"] = None
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    settings = Settings()
    engine = make_engine(settings.database_url)
    sessions, reading = make_sessions(engine), make_sessions(engine, reading=True)
    app = empty_app(settings) if sys.argv[1] == "empty" else build_app(settings, sessions, reading, StandingClock())
    server = create_server(flask_app(app, settings), host="127.0.0.1", port=0, threads=HTTP_THREADS)
    threading.Thread(target=server.run, daemon=True).start()
    print(server.effective_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
