"""What a page says, read from its HTML."""

import html
import re
from typing import Any


def told(text: str) -> dict[str, str]:
    """The name of each field of the page -> what is wrong with it, as `aria-describedby` leads there."""
    found = {}
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*aria-invalid[^>]*>", text):
        name = re.search(r'name="([^"]+)"', tag)
        described = re.search(r'aria-describedby="([^"]+)"', tag)
        assert name, tag
        assert described, tag
        place = next(each for each in described[1].split() if each.endswith("-wrong") or each.startswith("w-"))
        said = re.search(rf'id="{place}">.*?</span>(.*?)</p>', text, re.DOTALL)
        assert said, place
        found[name[1]] = html.unescape(said[1].strip())
    return found


def values(text: str) -> dict[str, str]:
    """What a browser would send of the last form of the page, without its buttons."""
    form = re.findall(r"<form[^>]*>(.*?)</form>", text, re.DOTALL)[-1]
    found = {
        name: html.unescape(value)
        for before, name, value, after in re.findall(r'<input([^>]*) name="([^"]+)" value="([^"]*)"([^>]*)>', form)
        if 'type="checkbox"' not in before or "checked" in after
    }
    found |= {
        name: html.unescape(value)
        for name, value in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL)
    }
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options) or re.search(
            r'<option value="([^"]*)"', options
        )
        found[name] = html.unescape(chosen[1]) if chosen else ""
    return found


def words(text: str) -> str:
    """The text of a page without its tags."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


def events(one: Any) -> list[tuple[str, str]]:
    """(action, resource) of what this person's key did, the newest first."""
    found = one.api.get(f"/landbridge/v1/{one.api.project_id}/audit?actor={one.api.key.access_key}")
    return [(event["action"], event["resource_id"]) for event in found["audit_events"]]
