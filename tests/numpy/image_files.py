"""Makes tests/numpy/images/: pictures as Pillow and tifffile write them, which our readers must understand.

The elements of a picture count in row-major order from seven times the number that its file name ends in, as far as a byte has room; where
they are larger than a byte, they are 257 times as large, as far as 15 bits have room, and less by 16384 if they have a sign. So the tests
know them without a second reader. Of JPEG, which keeps no number, the answers of
Pillow lie beside the files.
Run it where numpy (2.4), pillow (13.0) and tifffile (2026.3) are installed: python tests/numpy/image_files.py
"""

import shutil
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

OUT = Path(__file__).parent / "images"


def counted(number, shape, kind="uint8"):
    elements = (np.arange(int(np.prod(shape))) + 7 * number).reshape(shape) % 256
    return elements.astype("uint8") if kind == "uint8" else (elements * 257 % 32768 - (16384 if kind == "int16" else 0)).astype(kind)


def png():
    for number in [8, 9, 10]:
        Image.fromarray(counted(number, (4, 6))).save(OUT / f"grey-{number}.png")
    for number in [0, 1]:
        Image.fromarray(counted(number, (4, 6, 3))).save(OUT / f"rgb-{number}.png")
        Image.fromarray(counted(number, (4, 6), "uint16")).save(OUT / f"deep-{number}.png")
    Image.fromarray(counted(2, (4, 6, 4))).save(OUT / "rgba-2.png")
    Image.fromarray(counted(3, (4, 6, 2)), "LA").save(OUT / "grey_alpha-3.png")
    # The same colours by their places in a palette, and by one bit each: 0 and 255 in turns.
    palette = Image.fromarray(np.arange(24, dtype="uint8").reshape(4, 6)).convert("P")
    palette.putpalette(counted(4, (24, 3)).tobytes())
    palette.save(OUT / "palette-4.png")
    Image.fromarray(np.arange(24).reshape(4, 6) % 2 == 1).save(OUT / "bits.png")


def tiff():
    def save(name, elements, **options):
        tifffile.imwrite(OUT / name, elements, metadata=None, **options)

    for number in [0, 1]:
        save(f"pages-{number}.tif", counted(number, (3, 4, 6), "uint16"), photometric="minisblack", compression="zlib")
    save("grey-2.tif", counted(2, (4, 6)))
    save("rgb-3.tif", counted(3, (4, 6, 3)), photometric="rgb")
    save("deep-4.tif", counted(4, (4, 6), "uint16"), byteorder=">")
    save("signed-5.tif", counted(5, (4, 6), "int16"), compression="zlib", predictor=2)
    save("float-6.tif", counted(6, (4, 6), "float32"), compression="zlib")
    save("double-7.tif", counted(7, (4, 6), "float64"), bigtiff=True)
    save("tiled-8.tif", counted(8, (20, 40)), tile=(16, 16))
    save("channels-9.tif", counted(9, (4, 6, 7), "uint16"), photometric="minisblack", planarconfig="contig")
    Image.fromarray(counted(10, (4, 6))).save(OUT / "lzw-10.tif", compression="tiff_lzw")
    # Not read: half floats, and channels one after the other.
    save("half.tif", np.zeros((4, 6), "float16"))
    save("planes.tif", counted(0, (3, 4, 6)), photometric="rgb", planarconfig="separate")
    with tifffile.TiffWriter(OUT / "unlike_pages.tif") as file:
        file.write(counted(0, (4, 6)), metadata=None)
        file.write(counted(0, (2, 3)), metadata=None)


def jpeg():
    across, down = np.meshgrid(np.arange(24), np.arange(16))
    for name, elements in [("grey", across * 6 + down * 4), ("rgb", np.stack([across * 9, down * 15, 255 - across * 5], axis=2))]:
        file = OUT / f"{name}.jpg"
        Image.fromarray(elements.astype("uint8")).save(file, quality=95, subsampling=0)
        np.save(OUT / f"{name}.npy", np.asarray(Image.open(file)))
    Image.fromarray((across * 6 + down * 4).astype("uint8")).save(OUT / "progressive.jpg", quality=95, progressive=True)
    np.save(OUT / "progressive.npy", np.asarray(Image.open(OUT / "progressive.jpg")))


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    png()
    tiff()
    jpeg()
