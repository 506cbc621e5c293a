"""Kernels: loops over arrays, compiled by Numba for this machine once, and kept as machine code.

Importing Numba, and having it load what it compiled before, takes longer than cleaning a few
megabytes. So Numba is imported only to compile: each kernel is made a function of C, whose object
code lies in a file and is loaded by llvmlite, which Numba itself rests on. The file's name tells
what the code was made from: the sources, the signature and the processor. NUMBA_DISABLE_JIT=1
leaves kernels as they are written.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from dedup.engines import kept
from dedup.engines.processes import POSSIBLE, in_parts

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
_SIGNATURE = re.compile(r"(\(.*?\)|\w+)\((.*)\)")
_C: dict[str, Any] = {
    "bool": ctypes.c_bool,
    "int64": ctypes.c_int64,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
    "float64": ctypes.c_double,
}
_lock = threading.RLock()
_made: list[Kernel] = []  # all kernels of the modules that were imported


class Parameter(NamedTuple):
    """What a kernel takes: a number, or an array that lies in one piece."""

    dtype: np.dtype[Any]
    ndim: int

    @classmethod
    def of(cls, written: str) -> Parameter:
        """From `int64`, `uint8[]` or `uint32[,]`."""
        name, bracket, rest = written.strip().partition("[")
        return cls(np.dtype(name), len(rest.split(",")) if bracket else 0)


class Kernel:
    """A compiled function. Arrays of another type or shape than its signature's are refused.

    Attributes:
        function: as it is written.
        signature: of what it takes and gives.
        seldom: whether few runs call it, so that it is compiled by the first one that does.
    """

    def __init__(self, function: FunctionType, signature: str, seldom: bool = False) -> None:
        found = _SIGNATURE.fullmatch(signature)
        if found is None:
            raise ValueError(f"{function.__name__}: {signature!r} is no signature")
        self.function = function
        self.signature = signature
        self.seldom = seldom
        self.parameters = [Parameter.of(p) for p in re.split(r",\s+", found[2])]
        self.results = [name.strip() for name in found[1].strip("()").split(",") if name != "void"]
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        self.__module__ = function.__module__
        self._call: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        """Run it, without the interpreter's lock."""
        if self._call is None:
            self._call = self.function if INTERPRETED else self._caller(self._address())
        return self._call(*args)

    def is_kept(self) -> bool:
        """Whether it was compiled on this machine before."""
        return INTERPRETED or kept.is_kept(self._file)

    @cached_property
    def _file(self) -> str:
        made_from = [self.signature, _machine(), _written(self.__module__)]
        return kept.file_name(f"{self.__module__}.{self.__name__}", made_from)

    def _address(self) -> int:
        with _lock:
            return _load(kept.load(self._file) or self.compile())

    def compile(self) -> bytes:
        """Compile it, and keep what comes of it."""
        code = _compile(self)
        kept.keep(self._file, code)
        return code

    def _caller(self, address: int) -> Callable[..., Any]:
        """A function that hands arrays to the compiled one, after a look at each."""
        names = [f"a{n}" for n in range(len(self.parameters))]
        checks, handed = [], []
        kinds: list[Any] = []
        known: dict[str, Any] = {"wrong": self._wrong, "word": ctypes.c_size_t.from_address}
        for name, (dtype, ndim) in zip(names, self.parameters, strict=True):
            if ndim == 0:
                handed.append(f"{'float' if dtype.kind == 'f' else 'int'}({name})")
                kinds.append(_C[dtype.name])
                continue
            known[f"t_{name}"] = dtype
            checks.append(
                f"{name}.dtype != t_{name} or {name}.ndim != {ndim} "
                f"or not {name}.flags.c_contiguous"
            )
            handed.append(f"word(id({name}) + {_place_of_address()}).value")
            handed += [f"{name}.shape[{d}]" for d in range(ndim)]
            kinds += [ctypes.c_void_p] + [ctypes.c_int64] * ndim
        several = len(self.results) > 1
        if several:
            result_type = ctypes.c_int64 * len(self.results)
            known["results"] = result_type
            handed.append("out")
            kinds.append(ctypes.POINTER(ctypes.c_int64))
        gives = None if several or not self.results else _C[self.results[0]]
        known["native"] = ctypes.CFUNCTYPE(gives, *kinds)(address)
        call = f"native({', '.join(handed)})"
        lines = [f"def call({', '.join(names)}):"]
        if checks:
            lines += [f"    if {' or '.join(checks)}:", f"        wrong({', '.join(names)})"]
        lines += ["    out = results()", f"    {call}", "    return tuple(out)"] if several else [
            f"    return {call}"]  # fmt: skip
        exec("\n".join(lines), known)
        made: Callable[..., Any] = known["call"]
        return made

    def _wrong(self, *args: Any) -> None:
        raise TypeError(
            f"{self.__name__} is {self.signature}; given {', '.join(map(_described, args))}"
        )


def _described(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    pieces = "" if value.flags.c_contiguous else " in pieces"
    return f"{value.dtype}[{',' * (value.ndim - 1)}]{pieces}"


def kernel(signature: str, seldom: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel of a function.

    Args:
        signature: what it gives and takes, such as `int64(uint8[], int64[], bool)`; it gives a
            number, several whole ones (`(int64, int64)`), or nothing (`void`). Other functions of
            its package that it calls need no signature.
        seldom: whether few runs call it.
    """

    def made(function: Callable[..., Any]) -> Kernel:
        assert isinstance(function, FunctionType)
        _made.append(Kernel(function, signature, seldom))
        return _made[-1]

    return made


def missing() -> list[Kernel]:
    """Kernels of the modules that were imported, but never compiled on this machine; without those
    that few runs call.
    """
    return [kernel for kernel in _made if not kernel.seldom and not kernel.is_kept()]


def compile_all() -> None:
    """Compile those that are missing, on all cores, where they can be kept."""
    if not kept.can_keep():
        return
    # The longest first, each by whoever is free.
    left = sorted(missing(), key=lambda kernel: -_length(kernel.function))
    turns, end = os.pipe()
    os.write(end, bytes(range(len(left))))
    os.close(end)

    def work(part: int) -> None:
        while turn := os.read(turns, 1):
            left[turn[0]].compile()

    collecting = gc.isenabled()
    gc.disable()  # a tenth of the time
    try:
        in_parts(work, max(1, min(len(left), os.cpu_count() or 1)) if POSSIBLE else 1)
    finally:
        os.close(turns)
        if collecting:
            gc.enable()


def _length(function: FunctionType) -> int:
    """How much code a function is, with all that it calls."""
    found: set[FunctionType] = set()
    left = [function]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            named = map(one.__globals__.get, one.__code__.co_names)
            left += [value for value in named if isinstance(value, FunctionType)]
    return sum(len(one.__code__.co_code) for one in found)


@cache
def _written(module: str) -> str:
    """A digest of how the modules are written whose functions may be part of a module's code, and
    this one.
    """
    found = {__name__}
    left = [module]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [
                value.__module__
                for value in vars(sys.modules[name]).values()
                if isinstance(value, (Kernel, FunctionType)) and value.__module__ in sys.modules
                and value.__module__.partition(".")[0] == __name__.partition(".")[0]
            ]  # fmt: skip
    return kept.digest(map(kept.source, sorted(found)))


# -- machine code ---------------------------------------------------------------------------------


@cache
def _target() -> Any:
    import llvmlite.binding as llvm  # noqa: PLC0415

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=3, codemodel="jitdefault", jit=True
    )


@cache
def _features() -> str:
    import llvmlite.binding as llvm  # noqa: PLC0415

    features: str = llvm.get_host_cpu_features().flatten()
    return features


@cache
def _machine() -> str:
    import llvmlite.binding as llvm  # noqa: PLC0415

    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {_features()}"


@cache
def _place_of_address() -> int:
    """Where in an array's object the address of its values stands, in bytes.

    NumPy's headers (`PyArrayObject`) put it first, behind what Python puts there. `ndarray.ctypes`
    tells the same in ten times the time, for a run as long as all that a short kernel does.
    """
    array = np.empty(1)
    words = (ctypes.c_size_t * 8).from_address(id(array))
    return list(words).index(array.ctypes.data) * ctypes.sizeof(ctypes.c_size_t)


@cache
def _engine() -> Any:
    import llvmlite.binding as llvm  # noqa: PLC0415

    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())


def _load(code: bytes) -> int:
    """Load object code; the address of its entry."""
    import llvmlite.binding as llvm  # noqa: PLC0415

    names, _, code = code.partition(b"\n")
    entry, *needed = names.decode().split()
    # What Numba's code calls when it raises: no kernel does.
    abort = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value
    for name in needed:
        if not llvm.address_of_symbol(name):
            llvm.add_symbol(name, abort)
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address: int = engine.get_function_address(entry)
    return address


# -- compilation ----------------------------------------------------------------------------------


def _compile(kernel: Kernel) -> bytes:
    """Object code of a kernel, behind a line with the names of its entry and of what it calls."""
    import llvmlite.binding as llvm  # noqa: PLC0415
    import numba  # noqa: PLC0415

    types: Any = numba.types
    kinds: list[Any] = []
    for dtype, ndim in kernel.parameters:
        kind = numba.from_dtype(dtype)
        kinds += [types.CPointer(kind), *[types.int64] * ndim] if ndim else [kind]
    gives = types.void
    if len(kernel.results) > 1:
        kinds.append(types.CPointer(types.int64))
    elif kernel.results:
        gives = numba.from_dtype(np.dtype(kernel.results[0]))
    known = _dispatchers(kernel.__module__) | {"carray": numba.carray}  # type: ignore[attr-defined]
    exec(compile(_entry(kernel), kernel.function.__code__.co_filename, "exec"), known)
    compiler = numba.cfunc(gives(*kinds), error_model="numpy", pipeline_class=_steps())
    entry = compiler(known[kernel.__name__])
    module = llvm.parse_assembly(entry.inspect_llvm())
    needed = [
        value.name
        for value in (*module.functions, *module.global_variables)
        if value.is_declaration and not value.name.startswith("llvm.")
    ]
    code: bytes = _target().emit_object(module)
    return " ".join([entry.native_name, *needed]).encode() + b"\n" + code


@cache
def _steps() -> Any:
    """Numba's steps from source to machine code, but two: kernels hold no closures to inline and no
    expressions of whole arrays to rewrite, and to look for them takes a twelfth of the time.
    """
    from numba.core.compiler import CompilerBase, DefaultPassBuilder  # noqa: PLC0415
    from numba.core.typed_passes import NopythonRewrites  # noqa: PLC0415
    from numba.core.untyped_passes import InlineClosureLikes  # noqa: PLC0415

    builder: Any = DefaultPassBuilder

    class Steps(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            steps = builder.define_nopython_pipeline(self.state)
            left_out = (InlineClosureLikes, NopythonRewrites)
            steps.passes = [step for step in steps.passes if step[0] not in left_out]
            steps.finalize()
            return [steps]

    return Steps


def _entry(kernel: Kernel) -> ast.Module:
    """A kernel as a function of C: arrays come as pointers and sizes, several results go where
    `results` points.

    Written so, and not as a second function around the first, it is compiled once.
    """
    module = ast.parse(kept.source(kernel.__module__))
    written = (
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name == kernel.__name__
    )
    function = next(written, None)
    if function is None:
        raise RuntimeError(f"{kernel.__module__}: kernels cannot be compiled without the source")
    takes, arrays = [], []
    for given, (_, ndim) in zip(function.args.args, kernel.parameters, strict=True):
        name = given.arg
        sizes = [f"{name}_size{d}" for d in range(ndim)]
        takes += [f"{name}_address" if ndim else name, *sizes]
        if ndim:
            arrays.append(f"{name} = carray({name}_address, ({', '.join(sizes)},))")
    if len(kernel.results) > 1:
        takes.append("results")
        _Results(len(kernel.results)).visit(function)
    function.args.args = [ast.arg(name) for name in takes]
    function.body = ast.parse("\n".join(arrays)).body + function.body
    function.decorator_list, function.returns = [], None
    return ast.fix_missing_locations(ast.Module([function], []))


class _Results(ast.NodeTransformer):
    """Puts several results where `results` points, instead of giving them back."""

    def __init__(self, size: int) -> None:
        written = ", ".join(f"results[{n}]" for n in range(size))
        self._put = f"{written} = 0"

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        put = ast.parse(self._put).body[0]
        assert isinstance(put, ast.Assign)
        assert node.value is not None
        put.value = node.value
        return [put, ast.Return(None)]


@cache
def _dispatchers(module: str) -> dict[str, Any]:
    """A module's names, its functions made Numba's."""
    names = dict(vars(sys.modules[module]))
    for name, value in _functions(sys.modules[module]):
        if value.__module__ == module:
            made = FunctionType(value.__code__, names, name, value.__defaults__)
            names[name] = _helper(made)
        else:
            names[name] = _dispatchers(value.__module__)[value.__name__]
    return names


def _helper(function: FunctionType) -> Any:
    """A function as Numba's that only kernels call; compiled once for all integers of 64 bits, not
    for each constant again.
    """
    import numba  # noqa: PLC0415

    options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made: Any = numba.njit(error_model="numpy", pipeline_class=_steps(), **options)(function)
    template = made.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return template(tuple(map(numba.types.unliteral, args)), kws)

    made.get_call_template = get_call_template
    return made


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Kernels and what they may call: functions of this module and of others of its package."""
    package = module.__name__.partition(".")[0]
    for name, value in vars(module).items():
        found = value.function if isinstance(value, Kernel) else value
        home = found.__module__ if isinstance(found, FunctionType) else __name__
        if home != __name__ and home.partition(".")[0] == package:
            yield name, found
