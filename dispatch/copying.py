"""The child that makes a copy of a photo or a voice note for browsers, and ends:
``python -P -m dispatch.copying photo|voice <original> <copy>``.

What came from the street is read by large libraries of other people, so that is done here: at the lowest priority,
with little memory and processor time, and with nothing in its hands but the two files. The copy holds what is to be
seen or heard and nothing else: no place, no device, no time, no picture in the picture. Ends with 0, or with
:data:`USELESS` for an original of which no copy can be made.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

USELESS = 65
"""EX_DATAERR"""
MEMORY = 1 << 30
"""Bytes of address space: twice what the largest photo needs."""
SECONDS = 20
"""Of processor time."""
COPY_BYTES = 16 << 20
HANDLES = 64
"""Open files: the two, and modules as they are read."""
EDGE = 1600
"""Pixels of the longer side."""
PIXELS = 50_000_000
"""That are unpacked: a picture of 40 kB may claim to have billions."""
QUALITY = 80
RATE = 16_000
"""Samples a second of a voice, and bits of the copy."""
VOICE_BITS = 24_000
VOICE_S = 1200
"""Of sound; the rest of a longer one is left out."""


class Useless(Exception):
    """No copy can be made of it."""


def photo(original: Path, copy: Path) -> None:
    """A JPEG, upright, of at most :data:`EDGE` pixels. Raises :class:`Useless`, and whatever a decoder may raise."""
    from pi_heif import register_heif_opener
    from PIL import Image, ImageOps

    register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None  # ours is asked for below, of what is unpacked
    with Image.open(original, formats=("JPEG", "PNG", "WEBP", "HEIF")) as opened:
        opened.draft("RGB", (EDGE, EDGE))  # a JPEG is unpacked smaller at once
        if opened.width * opened.height > PIXELS:
            raise Useless(f"{opened.width} x {opened.height} pixels")
        upright = ImageOps.exif_transpose(opened)
        upright.thumbnail((EDGE, EDGE), Image.Resampling.BICUBIC)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            clear = upright.convert("RGBA")
            upright = Image.new("RGB", clear.size, "white")
            upright.paste(clear, mask=clear)
        # Bytes of pixels alone go on: whatever else the file said stays behind.
        bare = Image.new("RGB", upright.size)
        bare.paste(upright.convert("RGB"))
        bare.save(copy, "JPEG", quality=QUALITY, optimize=True)


def voice(original: Path, copy: Path) -> None:
    """Ogg with Opus, one channel. Raises like :func:`photo`."""
    import av

    with av.open(str(original), format=_container(original.suffix)) as sound:
        if not sound.streams.audio:
            raise Useless("there is no sound in it")
        with av.open(str(copy), "w", format="ogg") as out:
            stream: Any = out.add_stream("libopus", rate=48_000)
            stream.bit_rate, stream.layout = VOICE_BITS, "mono"
            steps = av.AudioResampler(format="s16", layout="mono", rate=48_000, frame_size=960)
            heard = 0
            for frame in sound.decode(sound.streams.audio[0]):
                heard += frame.samples
                if heard > VOICE_S * frame.sample_rate:
                    break
                frame.pts = None
                for step in steps.resample(frame):
                    out.mux(stream.encode(step))
            if not heard:
                raise Useless("there is no sound in it")
            for step in steps.resample(None):
                out.mux(stream.encode(step))
            out.mux(stream.encode(None))


def _container(ending: str) -> str:
    return {".webm": "matroska", ".ogg": "ogg", ".m4a": "mov"}[ending]


WAYS = {"photo": photo, "voice": voice}


def main(way: str, original: str, copy: str) -> int:
    """Make it under another name, and give it its own when it is whole."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (COPY_BYTES, COPY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (HANDLES, HANDLES))
    part = Path(f"{copy}.part")
    try:
        WAYS[way](Path(original), part)
        part.replace(copy)
    except FileNotFoundError:
        return 1
    except OSError as error:
        # A decoder's own troubles have no number; a disk's do.
        print(error, file=sys.stderr)
        return 1 if error.errno is not None and not _of_decoder(error) else USELESS
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return USELESS
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return 0


def _of_decoder(error: OSError) -> bool:
    return type(error).__module__.startswith("av.")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
