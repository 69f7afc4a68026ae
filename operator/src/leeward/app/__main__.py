"""``python -m leeward.app``: the operator."""

import asyncio
import os
import sys

import uvloop

from leeward.app.logs import configure_logging
from leeward.app.process import run
from leeward.app.settings import Settings, SettingsError, parse_settings
from leeward.app.wiring import wire
from leeward.kube.transport import load_configuration


async def _main(settings: Settings) -> int:
    configuration = await load_configuration(
        settings.kubeconfig, settings.context, connections=2 * settings.workers
    )
    operator = wire(settings, configuration)
    try:
        return await run(operator, asyncio.Event())
    finally:
        await operator.close()


def main() -> int:
    """Run the operator; return its exit status."""
    try:
        settings = parse_settings(sys.argv[1:], os.environ)
    except SettingsError as error:
        print(f"leeward-operator: {error}", file=sys.stderr)  # noqa: T201
        return 2
    configure_logging(settings.log_level)
    return uvloop.run(_main(settings))


if __name__ == "__main__":
    raise SystemExit(main())
