"""How long this process has been running."""

from __future__ import annotations

import os
import time

from hotserve import hot

PID = os.getpid()
STARTED_AT = hot.keep("started_at", time.time)
