"""The donor index: all registered donors in columns, placed by H3 cell, searched by numba kernels.

``columns`` says what is kept of a donor, ``places`` where cells lie, ``id_table`` finds a donor's row, ``changes`` puts
donors in and takes them out, ``donor_index`` owns the arrays, ``facts`` turns ``donor-states`` into columns.
"""

from features.index.donor_index import DonorIndex

__all__ = ["DonorIndex"]
