"""A user's program over `blackforest`, BFL's own client.

Reads `{"url", "key", "wanted": [[model, inputs], …]}`, writes a JSON list of the images.
"""

import contextlib
import hashlib
import json
import sys

import requests
from blackforest import BFLClient
from blackforest.types.general.client_config import ClientConfig

asked = json.load(sys.stdin)
client = BFLClient(api_key=asked["key"], base_url=asked["url"])
assert {model for model, _ in asked["wanted"]} == set(client.model_input_registry)
images = []
patience = ClientConfig(sync=True, polling_interval=0.1, max_retries=300)
for model, inputs in asked["wanted"]:
    # it prints as it polls
    with contextlib.redirect_stdout(sys.stderr):
        made = client.generate(model, inputs, patience)
    fetched = requests.get(made.result["sample"], timeout=10)
    fetched.raise_for_status()
    sha256 = hashlib.sha256(fetched.content).hexdigest()
    images.append({"model": model, "id": made.id, "sha256": sha256, "result": made.result})
json.dump(images, sys.stdout)
