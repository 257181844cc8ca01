"""Answers of NumPy for linear algebra, that `tests/api/array_numpy_linalg.rs` compares ours with. Needs NumPy 2 and nothing else.

    python tests/numpy/linalg.py

writes `linalg/NAME.npy` beside this file, matrices and answers. All are committed, so that no test needs Python.

Factors that are not the only ones there are come in one form: triangles of `qr` with a diagonal that is not negative, and vectors by their sizes.
"""

import pathlib
import shutil

import numpy as np

HERE = pathlib.Path(__file__).parent / "linalg"
rng = np.random.default_rng(61)


def real(*shape):
    return np.round(rng.normal(0, 2, shape), 3)


def both(*shape):
    return real(*shape) + 1j * real(*shape)


square, square_c = real(9, 9), both(9, 9)
FILES = {
    "square": square,
    "square_c": square_c,
    "square_f": square.astype(np.float32),
    "square_cf": square_c.astype(np.complex64),
    "definite": square @ square.T + np.eye(9),
    "definite_c": square_c @ square_c.conj().T + np.eye(9),
    "tall": real(40, 5),
    "tall_c": both(40, 5),
    "oblong": real(11, 7),
    "oblong_c": both(11, 7),
    "wide": real(6, 13),
    "wide_c": both(6, 13),
    "one": real(1, 1),
    "one_c": both(1, 1),
    "gap": np.where(np.arange(9) == 4, 0.0, square),
    "empty": np.zeros((0, 0)),
    "line": real(9),
    "line_c": both(9),
    "sides": real(9, 4),
    "sides_c": both(9, 4),
    "long": real(40, 3),
    "long_c": both(40, 3),
    "cube_c": both(3, 4, 5),
}
G = dict(FILES)


def case(name, answer):
    assert name not in FILES, name
    FILES[name] = np.array(answer, order="C")


def lu(a):
    """By Gauss, with the largest element of each column for a pivot, as LAPACK measures complex numbers: the sum of both parts' sizes."""
    u, (rows, columns) = a.copy(), a.shape
    rank = min(rows, columns)
    order, low = np.arange(rows), np.eye(rows, rank, dtype=a.dtype)
    for at in range(rank):
        pivot = at + np.argmax(np.abs(u[at:, at].real) + np.abs(u[at:, at].imag))
        u[[at, pivot]] = u[[pivot, at]]
        order[[at, pivot]] = order[[pivot, at]]
        low[[at, pivot], :at] = low[[pivot, at], :at]
        if u[at, at] != 0:
            low[at + 1 :, at] = u[at + 1 :, at] / u[at, at]
            u[at + 1 :] -= np.outer(low[at + 1 :, at], u[at])
    p = np.zeros((rows, rows), dtype=a.dtype)
    p[order, np.arange(rows)] = 1
    assert np.allclose(p @ low @ np.triu(u[:rank]), a)
    return p, low, np.triu(u[:rank])


def qr(a):
    q, r = np.linalg.qr(a)
    diagonal = np.diagonal(r)
    turn = np.where(diagonal == 0, 1, diagonal / np.where(diagonal == 0, 1, np.abs(diagonal)))
    return q * turn, r * turn.conj()[:, None]


def refuses(function, *arguments):
    try:
        function(*arguments)
    except np.linalg.LinAlgError:
        return
    raise AssertionError(f"{function} gives an answer")


for kind in ["", "_c"]:
    a, d, b, x, y = (G[name + kind] for name in ["square", "definite", "sides", "line", "long"])
    for name in ["square", "definite", "one"]:
        case(f"det_{name}{kind}", np.linalg.det(G[name + kind]))
        case(f"slogdet_sign_{name}{kind}", np.linalg.slogdet(G[name + kind])[0])
        case(f"slogdet_log_{name}{kind}", np.linalg.slogdet(G[name + kind])[1])
        case(f"inv_{name}{kind}", np.linalg.inv(G[name + kind]))
    case(f"solve{kind}", np.linalg.solve(a, b))
    case(f"solve_line{kind}", np.linalg.solve(a, x))
    case(f"solve_lower{kind}", np.linalg.solve(np.tril(d), b))
    case(f"solve_upper{kind}", np.linalg.solve(np.triu(d), b))
    case(f"cholesky{kind}", np.linalg.cholesky(d))
    case(f"eigh_values{kind}", np.linalg.eigh(d)[0])
    case(f"eigh_vectors{kind}", np.abs(np.linalg.eigh(d)[1]))
    case(f"eigvalsh{kind}", np.linalg.eigvalsh(a + a.conj().T))
    case(f"norm{kind}", np.linalg.norm(a))
    case(f"norm_axis{kind}", np.linalg.norm(a, axis=0))
    for name, order in [("fro", "fro"), ("nuc", "nuc"), ("2", 2), ("least_2", -2), ("1", 1), ("least_1", -1), ("inf", np.inf), ("least_inf", -np.inf)]:
        case(f"norm_{name}{kind}", np.linalg.norm(G["wide" + kind], order))
    for name in ["square", "tall", "oblong", "wide", "one"]:
        q, r = qr(G[name + kind])
        case(f"qr_q_{name}{kind}", q)
        case(f"qr_r_{name}{kind}", r)
        u, s, vt = np.linalg.svd(G[name + kind], full_matrices=False)
        case(f"svd_u_{name}{kind}", np.abs(u))
        case(f"svd_s_{name}{kind}", s)
        case(f"svd_vt_{name}{kind}", np.abs(vt))
        p, low, up = lu(G[name + kind])
        case(f"lu_p_{name}{kind}", p)
        case(f"lu_l_{name}{kind}", low)
        case(f"lu_u_{name}{kind}", up)
    found = np.linalg.lstsq(G["tall" + kind], y, rcond=None)
    case(f"lstsq{kind}", found[0])
    case(f"lstsq_residuals{kind}", found[1])
    case(f"lstsq_singular{kind}", found[3])
    case(f"matmul{kind}", a @ b)
    case(f"matmul_line{kind}", a @ x)
    case(f"vdot{kind}", np.vdot(x, x + a[0]))
    case(f"outer{kind}", np.outer(x, b[:, 0]))
    case(f"kron{kind}", np.kron(G["wide" + kind], G["one" + kind]))
    case(f"trace{kind}", np.trace(a))
    refuses(np.linalg.cholesky, -d)
    refuses(np.linalg.solve, G["gap"], b)
    for function in [np.linalg.inv, np.linalg.det, np.linalg.eigh, np.linalg.cholesky]:
        refuses(function, G["wide" + kind])

c = G["cube_c"]
case("tensordot_c", np.tensordot(c, c, ((0, 2), (0, 2))))
case("einsum_c", np.einsum("ijk,ljk->il", c, c.conj()))
case("dot_c", np.dot(c, G["tall_c"][:5]))
case("solve_f", np.linalg.solve(G["square_f"], G["square_f"][:, :2]))
case("solve_cf", np.linalg.solve(G["square_cf"], G["square_cf"][:, :2]))
case("det_gap", np.linalg.det(G["gap"]))
case("slogdet_sign_gap", np.linalg.slogdet(G["gap"])[0])
case("slogdet_log_gap", np.linalg.slogdet(G["gap"])[1])
case("svd_s_gap", np.linalg.svd(G["gap"])[1])
case("det_empty", np.linalg.det(G["empty"]))
case("slogdet_log_empty", np.linalg.slogdet(G["empty"])[1])
case("inv_empty", np.linalg.inv(G["empty"]))
refuses(np.linalg.inv, G["gap"])

shutil.rmtree(HERE, ignore_errors=True)
HERE.mkdir()
for name, array in FILES.items():
    np.save(HERE / f"{name}.npy", array)
print(len(FILES), "files")
