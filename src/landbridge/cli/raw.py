"""`landbridge api`: any request of the API, for what has no command of its own."""

import json

import click

from landbridge.cli import crud, fields, remote
from landbridge.client import failures, output


@click.command
@remote.api_command
@click.argument("method", type=click.Choice(("GET", "POST", "PUT", "DELETE"), case_sensitive=False), metavar="METHOD")
@click.argument("path")
@click.option("--query", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the query; many.")
@click.option("--file", metavar="FILE", help="The body of the request, in JSON; - is stdin.")
def api(run: remote.CommandRun, method: str, path: str, pairs: tuple[str, ...], file: str | None) -> None:
    """Send any request of the API, and print its answer in JSON: upgrades and their jobs, zones, batches, counts of tags.

    PATH begins with /v5/{project_id}/, /v5.1/{project_id}/ or /landbridge/v1/{project_id}/; `{project_id}` is replaced. `/docs` of the service lists
    the operations. A write is sent as it is, without a question.
    """
    if not path.startswith("/"):
        raise failures.Usage(f"PATH: {path!r} does not begin with /")
    whole = path.replace("{project_id}", run.api.account.project_id)
    query = {parameter["key"]: parameter["value"] for parameter in (fields.pair(text, "--query") for text in pairs)}
    answer = crud.send(run, method.upper(), whole, _body(file) if file else None, (), **query)
    if answer:
        output.document(answer, "yaml" if run.form == "yaml" else "json")


def _body(file: str) -> object:
    try:
        return json.loads(fields.read_text(file))
    except (ValueError, RecursionError) as error:
        raise failures.Usage(f"{file}: is not JSON: {error}") from None
