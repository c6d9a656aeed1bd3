"""`python -m finsched.host STATE_DIR`: the per-user process; commands start it on demand."""

import sys
from pathlib import Path

from finsched import settings
from finsched.host.process import serve

if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]) if sys.argv[1:] else settings.load().state_dir))
