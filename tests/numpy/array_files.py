"""Makes tests/numpy/files/: arrays as NumPy and zarr-python write them, which our readers must understand.

Every array counts from 0 in row-major order, unless its name says otherwise; so the tests know the elements without a second reader.
Complex numbers have half of their number, with the other sign, as imaginary part.
Run it where numpy (2.4) and zarr (3.1) are installed: python tests/numpy/array_files.py
With the arguments `check FOLDER` it reads what our writers wrote into a folder, and fails unless it is what tests/api/array_files.rs says, which calls it.
"""

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec

OUT = Path(__file__).parent / "files"
KINDS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128"]


def counted(shape, dtype="float64"):
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    if dtype == "bool":
        return numbers % 3 == 0
    return (numbers - numbers * 0.5j).astype(dtype) if "c" in dtype else numbers.astype(dtype)


def npy():
    folder = OUT / "npy"
    folder.mkdir(parents=True)
    for kind in KINDS:
        np.save(folder / f"{kind}.npy", counted((4, 5), kind))
    np.save(folder / "fortran.npy", np.asfortranarray(counted((3, 4, 5))))
    np.save(folder / "big.npy", counted((4, 5), ">f8"))
    np.save(folder / "big_fortran.npy", np.asfortranarray(counted((4, 5), ">i2")))
    np.save(folder / "line.npy", counted((7,)))
    np.save(folder / "number.npy", np.array(42.5))
    np.save(folder / "nothing.npy", np.zeros((0, 3)))
    np.save(folder / "special.npy", np.array([np.nan, np.inf, -np.inf, -0.0]))
    np.save(folder / "big_complex.npy", counted((4, 5), ">c16"))
    np.save(folder / "half.npy", counted((3,), "float16"))
    np.save(folder / "text.npy", np.array(["a", "bc"]))
    with open(folder / "version2.npy", "wb") as file:
        np.lib.format.write_array(file, counted((4, 5)), version=(2, 0))
    np.save(folder / "records.npy", np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]))


def stack(name, array, lengths, axis):
    """As dask.array.to_npy_stack does."""
    folder = OUT / name
    folder.mkdir(parents=True)
    ends = np.cumsum([0, *lengths])
    for number, (start, end) in enumerate(zip(ends, ends[1:])):
        np.save(folder / f"{number}.npy", np.take(array, range(start, end), axis=axis))
    chunks = tuple(tuple(lengths) if at == axis else (n,) for at, n in enumerate(array.shape))
    with open(folder / "info", "wb") as file:
        pickle.dump({"chunks": chunks, "dtype": array.dtype, "axis": axis}, file)


def write(name, array, **options):
    made = zarr.create_array(OUT / name, shape=array.shape, dtype=array.dtype, **options)
    made[...] = array
    return made


def zarr_arrays():
    for kind in KINDS:
        write(f"v3/{kind}.zarr", counted((5, 6), kind), chunks=(5, 6))
    array = counted((5, 6))
    write("v3/gzip.zarr", array, chunks=(3, 4), compressors=GzipCodec(level=5))
    write("v3/blosc.zarr", array, chunks=(3, 4), compressors=BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"))
    write("v3/plain.zarr", array, chunks=(3, 4), compressors=None)
    write("v3/checksum.zarr", array, chunks=(3, 4), compressors=ZstdCodec(level=1, checksum=True))
    write("v3/big.zarr", array, chunks=(3, 4), serializer=BytesCodec(endian="big"))
    write("v3/transposed.zarr", array, chunks=(3, 4), filters=[TransposeCodec(order=(1, 0))])
    write("v3/dots.zarr", array, chunks=(3, 4), chunk_key_encoding={"name": "default", "separator": "."})
    write("v3/keys_of_v2.zarr", array, chunks=(3, 4), chunk_key_encoding={"name": "v2", "separator": "/"})
    write("v3/sharded.zarr", counted((10, 12)), chunks=(2, 3), shards=(6, 6))
    write("v3/number.zarr", np.array(42.5), chunks=())
    part = zarr.create_array(OUT / "v3/missing.zarr", shape=(5, 6), dtype="float32", chunks=(2, 3), fill_value=np.nan)
    part[0:2, 3:6] = 1.5
    part = zarr.create_array(OUT / "v3/missing_in_shard.zarr", shape=(8, 4), dtype="int16", chunks=(2, 2), shards=(4, 4), fill_value=-7)
    part[2:4, 0:2] = 5
    group = zarr.create_group(OUT / "v3/group.zarr")
    made = group.create_array("inner", shape=(4,), dtype="int64", chunks=(4,))
    made[...] = counted((4,), "int64")
    write("v3/half.zarr", counted((3,), "float16"), chunks=(3,))
    write("v3/big_complex.zarr", counted((5, 6), "complex64"), chunks=(3, 4), serializer=BytesCodec(endian="big"))
    part = zarr.create_array(OUT / "v3/missing_complex.zarr", shape=(5, 6), dtype="complex64", chunks=(2, 3), fill_value=1.5 - 2j)
    part[0:2, 3:6] = 3j

    import numcodecs

    for name, compressor in [
        ("zlib", numcodecs.Zlib(5)),
        ("gzip", numcodecs.GZip(5)),
        ("zstd", numcodecs.Zstd(3)),
        ("blosc", numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE)),
        ("plain", None),
    ]:
        write(f"v2/{name}.zarr", array, chunks=(3, 4), zarr_format=2, compressors=compressor)
    for kind in ["bool", "int8", "uint16", "float32"]:
        write(f"v2/{kind}.zarr", counted((5, 6), kind), chunks=(5, 6), zarr_format=2)
    write("v2/fortran.zarr", array, chunks=(3, 4), zarr_format=2, order="F")
    write("v2/big.zarr", counted((5, 6), ">i4"), chunks=(3, 4), zarr_format=2)
    write("v2/slashes.zarr", array, chunks=(3, 4), zarr_format=2, chunk_key_encoding={"name": "v2", "separator": "/"})
    part = zarr.create_array(OUT / "v2/missing.zarr", shape=(5, 6), dtype="int32", chunks=(2, 3), zarr_format=2, fill_value=9)
    part[0:2, 0:3] = 1
    write("v2/half.zarr", counted((3,), "float16"), chunks=(3,), zarr_format=2)
    write("v2/complex64.zarr", counted((5, 6), "complex64"), chunks=(3, 4), zarr_format=2)
    write("v2/big_complex.zarr", counted((5, 6), ">c16"), chunks=(3, 4), zarr_format=2)
    part = zarr.create_array(OUT / "v2/missing_complex.zarr", shape=(5, 6), dtype="complex128", chunks=(2, 3), zarr_format=2, fill_value=1.5 - 2j)
    part[0:2, 3:6] = 3j


def check(folder):
    """What our writers wrote, by the name of the file."""
    folder = Path(folder)
    expected = counted((7, 10))
    np.testing.assert_array_equal(np.load(folder / "x.npy"), expected)
    for name in ["v3.zarr", "v3_gzip.zarr", "v3_blosc.zarr", "v3_plain.zarr", "v3_sharded.zarr", "v2.zarr", "v2_gzip.zarr", "v2_blosc.zarr", "v2_plain.zarr"]:
        found = zarr.open_array(folder / name, mode="r")
        assert found.metadata.zarr_format == int(name[1]), name
        np.testing.assert_array_equal(found[...], expected, err_msg=name)
    assert zarr.open_array(folder / "v3.zarr", mode="r").metadata.dimension_names == ("y", "x")
    assert np.isnan(zarr.open_array(folder / "v3_blosc.zarr", mode="r").fill_value)
    assert zarr.open_array(folder / "v3_sharded.zarr", mode="r").shards == (4, 6)
    assert zarr.open_array(folder / "v2_plain.zarr", mode="r").fill_value == np.inf
    for kind in KINDS:
        found = zarr.open_array(folder / f"{kind}.zarr", mode="r")
        assert found.dtype == kind, kind
        np.testing.assert_array_equal(found[...], counted((7, 10), kind), err_msg=kind)
        found = zarr.open_array(folder / f"{kind}_v2.zarr", mode="r")
        assert found.dtype == kind, kind
        np.testing.assert_array_equal(found[...], counted((7, 10), kind), err_msg=kind)
        found = np.load(folder / f"{kind}.npy")
        assert found.dtype == kind, kind
        np.testing.assert_array_equal(found, counted((7, 10), kind), err_msg=kind)
    with open(folder / "stack/info", "rb") as file:
        info = pickle.load(file)
    assert info == {"chunks": ((7,), (4, 4, 2)), "dtype": np.dtype("float64"), "axis": 1}, info
    parts = [np.load(folder / f"stack/{number}.npy") for number in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)
    print("all as it should be")


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(sys.argv[2])
    else:
        shutil.rmtree(OUT, ignore_errors=True)
        npy()
        stack("stack", counted((6, 4)), [2, 3, 1], 0)
        stack("stack_along_1", counted((3, 5), "int32"), [2, 2, 1], 1)
        zarr_arrays()
