"""Say how large a built layer is zipped, which is what is uploaded and what a cold start fetches."""  # noqa: INP001

import io
import sys
import zipfile
from pathlib import Path


def zipped_size(folder: Path) -> int:
    """Count the bytes of a folder's zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return len(buffer.getvalue())


if __name__ == "__main__":
    size = zipped_size(Path(sys.argv[2]))
    sys.stdout.write(f"{sys.argv[1]}: {size / 1_000_000:.2f} MB zipped\n")
