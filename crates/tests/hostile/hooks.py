"""What schemathesis cannot know: the organization to call for, ids that exist, and that calls here are not signed."""

import atexit
import collections
import json
import os
import pathlib
import random

import schemathesis

# Written by run_schemathesis.py: the ids of things that exist.
KNOWN = dict(pair.split("=", 1) for pair in os.environ["ALDIS_KNOWN_IDS"].split(","))
SIGNING = {"apim-accesstoken", "apim-signature", "apim-timestamp"}
CHANCE = random.Random(1)
# How many calls were answered with which code.
CODES = collections.Counter()


@atexit.register
def tell():
    pathlib.Path(os.environ["ALDIS_CODES"]).write_text(json.dumps(CODES))


@schemathesis.hook
def after_call(context, case, response):
    try:
        CODES[str(response.json().get("code"))] += 1
    except ValueError:
        CODES["no JSON"] += 1


@schemathesis.hook
def before_call(context, case, kwargs):
    """Three of four calls are for the organization that has something, and name what it has."""
    case.headers = {name: text for name, text in (case.headers or {}).items() if name.lower() not in SIGNING}
    if CHANCE.random() < 0.25 or not isinstance(case.query, dict):
        return
    for name in list(case.query):
        if name in KNOWN and (name == "orgId" or CHANCE.random() < 0.7):
            case.query[name] = KNOWN[name]
