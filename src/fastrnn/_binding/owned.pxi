# SPDX-License-Identifier: BSD-3-Clause
# Arrays that a layer owns, and who may have written them.

from _weakref import getweakrefcount


@cython.no_gc  # so that gc.get_referents does not give out the array without it being counted
cdef class Slot:
    """One array of `Arrays`."""
    cdef object array   # an ndarray, to which nothing else refers but the buffer below
    cdef Py_buffer pin  # NumPy does not resize an array that has given out a buffer
    cdef Py_ssize_t given  # how often it has been given out

    def __dealloc__(self):
        if self.array is not None:
            PyBuffer_Release(&self.pin)

    cdef bint referred_to_elsewhere(self) noexcept:
        """Views and exported buffers refer to the array that they look into."""
        return not has_references_at_most(<PyObject *>self.array, 2)

    cdef bint intact(self):
        """Is it still writable, and of the shape, the numbers and the order that it had when it was taken?"""
        cdef Py_buffer now
        try:
            PyObject_GetBuffer(self.array, &now, PyBUF_STRIDES | PyBUF_FORMAT | PyBUF_WRITABLE)
        except (ValueError, BufferError):
            return False
        same = (same_shape(&now, &self.pin) and now.itemsize == self.pin.itemsize and is_whole(&now) and
                not memcmp(now.format, self.pin.format, 2))
        PyBuffer_Release(&now)
        return same


cdef class Arrays:
    """The named arrays of a layer, C-ordered, each of which counts how often it is given out.

    They are reached through this object alone, so that whoever compares their values with earlier ones knows when that
    is not necessary: see `Weights`. An array of another owner must not be added.
    """
    cdef dict slots  # name -> Slot

    def __cinit__(self, arrays=()):
        self.slots = {}
        for name, array in dict(arrays).items():
            self.add(name, array)

    def add(self, str name not None, array not None):
        """Take an array, under a new name."""
        cdef Slot slot = Slot.__new__(Slot)
        if name in self.slots:
            raise ValueError(f"{name}: expected a new name, got one that is taken")
        try_to_hold(name, array, &slot.pin, True)
        slot.array = array
        if slot.pin.format == NULL or not slot.pin.itemsize or not is_whole(&slot.pin):
            raise ValueError(f"{name}: expected a C-ordered array, got {described(&slot.pin)}")
        self.slots[name] = slot

    def __getitem__(self, name):
        cdef Slot slot = self.slots[name]
        array = slot.array  # referred to before it is counted, so that a thread in between sees one or the other
        with cython.critical_section(slot):
            slot.given += 1
        return array

    def __setitem__(self, name, value):
        array = self[name]
        if value is not array:  # as it is after +=
            array[...] = value

    def get(self, name):
        """The array, or None."""
        return self[name] if name in self.slots else None

    def __contains__(self, name):
        return name in self.slots

    def __len__(self):
        return len(self.slots)

    def __iter__(self):
        return iter(self.slots)

    def items(self):
        """Pairs of name and array."""
        return ((name, self[name]) for name in self.slots)

    def shapes(self):
        """The shape of each array, by name."""
        return {name: (<Slot>slot).array.shape for name, slot in self.slots.items()}

    def stamp(self):
        """How often arrays have been given out; -1 while something else refers to one, and may write it.

        Between two equal stamps of at least 0 nothing has been written.
        """
        cdef Slot slot
        cdef Py_ssize_t times = 0
        for each in self.slots.values():  # counted before references are: see `__getitem__`
            slot = each
            times += slot.given
        for each in self.slots.values():
            slot = each
            if slot.referred_to_elsewhere() or getweakrefcount(slot.array):
                return -1
        return times

    def damaged(self):
        """None, or the name of an array that has not the shape, dtype and order of at first or cannot be written, and
        what is wrong with it.
        """
        cdef Slot slot
        for name, each in self.slots.items():
            slot = each
            if not slot.intact():
                if not slot.array.flags.writeable:
                    return name, "expected an array that can be written, got a read-only one"
                got = f"{slot.array.shape} of {slot.array.dtype}, strides {slot.array.strides}"
                return name, f"expected a C-ordered {described(&slot.pin)}, as it was made, got {got}"
        return None

    def __reduce__(self):
        return Arrays, ({name: array.copy() for name, array in self.items()},)
