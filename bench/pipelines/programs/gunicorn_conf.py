"""Nobody but this machine is listened to; all else is gunicorn's default or on the command line."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
