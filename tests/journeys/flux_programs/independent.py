"""A user's program over `black-forest-labs`, a client by somebody else.

Reads `{"url", "key", "wanted": [[model, inputs], …]}`, writes a JSON list of the images.
"""

import hashlib
import json
import os
import sys
import time

import httpx

asked = json.load(sys.stdin)
# it makes a client of its own as it is imported, and refuses to without a key
os.environ["BFL_API_KEY"] = asked["key"]
from black_forest_labs import Client, Status  # noqa: E402 - see above

images = []
client = Client(base_url=asked["url"])
for model, inputs in asked["wanted"]:
    task = client.generate(model, **inputs)
    deadline = time.monotonic() + 30
    while not task.is_done:
        assert time.monotonic() < deadline, f"{model} has not ended"
        time.sleep(0.1)
        task = client.get_result(task)
    assert task.status is Status.READY, task
    fetched = httpx.get(task.result.sample).raise_for_status()
    sha256 = hashlib.sha256(fetched.content).hexdigest()
    result = task.result.model_dump()
    images.append({"model": model, "id": task.id, "sha256": sha256, "result": result})
json.dump(images, sys.stdout)
