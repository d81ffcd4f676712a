"""Exit 0 if the worker of this container answers on /healthz, 1 if not."""  # noqa: INP001 - a script of the image

import http.client
import os
import sys

host, _, port = os.environ.get("IVR_HTTP_BIND", "127.0.0.1:8080").rpartition(":")
connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, int(port), timeout=4)  # noqa: S104
try:
    connection.request("GET", "/healthz")
    sys.exit(0 if connection.getresponse().status == http.HTTPStatus.OK else 1)
except OSError as error:
    sys.exit(f"no answer: {error}")
