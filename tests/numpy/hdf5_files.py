"""Makes tests/numpy/hdf5/: files as h5py and netCDF4 write them, which the feature `hdf5` must understand.

Every array counts from 0 in row-major order, unless its name says otherwise; so the tests know the elements without a second reader.
Run it where numpy (2.4), h5py (3.16) and netCDF4 (1.7) are installed: python tests/numpy/hdf5_files.py
With the argument `check FOLDER` it reads what our writer wrote into a folder, and fails unless it is what io/tests/hdf5.rs says.
"""

import shutil
import sys
from pathlib import Path

import h5py
import netCDF4
import numpy as np

OUT = Path(__file__).parent / "hdf5"
KINDS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128"]


def counted(shape, dtype="float64"):
    """Complex numbers have half of their number, with the other sign, as imaginary part."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    if dtype == "bool":
        return numbers % 3 == 0
    return (numbers - numbers * 0.5j).astype(dtype) if dtype.startswith("complex") else numbers.astype(dtype)


def hdf5():
    with h5py.File(OUT / "kinds.h5", "w") as file:
        for kind in KINDS:
            file[kind] = counted((4, 5), kind)
        file["big"] = counted((4, 5), "float64").astype(">f8")
        file["number"] = np.float64(42.5)
        file["nothing"] = np.zeros((0, 3))
        file["special"] = np.array([np.nan, np.inf, -np.inf, -0.0])
        file["text"] = np.array([b"a", b"bc"])
        file["half"] = np.zeros(3, "float16")
        file["records"] = np.zeros(2, dtype=[("a", "f8"), ("b", "i4")])
        file["null"] = h5py.Empty("f8")
    with h5py.File(OUT / "chunks.h5", "w") as file:
        group = file.create_group("measured/day_1")
        group.create_dataset("plain", data=counted((5, 6)), chunks=(2, 4))
        group.create_dataset("gzip", data=counted((5, 6)), chunks=(2, 4), compression="gzip", shuffle=True)
        group.create_dataset("lzf", data=counted((5, 6), "int32"), chunks=(3, 3), compression="lzf", fletcher32=True)
        group.create_dataset("growing", data=counted((5, 6)), chunks=(2, 4), maxshape=(None, 6))
        part = group.create_dataset("missing", shape=(5, 6), dtype="int16", chunks=(2, 3), fillvalue=-7)
        part[0:2, 0:3] = 5
        file["link"] = h5py.SoftLink("/measured/day_1/plain")


def netcdf():
    with netCDF4.Dataset(OUT / "weather.nc", "w") as file:
        file.createDimension("time", None)
        file.createDimension("lat", 3)
        file.createDimension("lon", 4)
        file.createVariable("lat", "f4", ("lat",))[:] = [-30, 0, 30]
        packed = file.createVariable("t2m", "i2", ("time", "lat", "lon"), zlib=True, fill_value=-999)
        packed.set_auto_maskandscale(False)
        packed.scale_factor, packed.add_offset = 0.5, 273.0
        packed[:] = counted((6, 3, 4), "int16")


def check(folder):
    """What our writer wrote, by the name of the dataset."""
    with h5py.File(Path(folder) / "written.h5", "r") as file:
        for kind in KINDS:
            assert file[f"kinds/{kind}"].dtype == kind, kind
            np.testing.assert_array_equal(file[f"kinds/{kind}"][...], counted((7, 10), kind), err_msg=kind)
        for name, chunks, packed in [("plain", (3, 4), None), ("gzip", (2, 5), "gzip")]:
            np.testing.assert_array_equal(file[name][...], counted((7, 10)), err_msg=name)
            assert (file[name].chunks, file[name].compression) == (chunks, packed), name
        assert file["number"][()] == 42.5 and file["nothing"].shape == (0, 3)
    print("all as it should be")


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(sys.argv[2])
    else:
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir()
        hdf5()
        netcdf()
