# SPDX-License-Identifier: BSD-3-Clause
"""Work in several Python threads that begin at once."""

import threading

import fastrnn as fr

THREADS = 8


def together(work, n=THREADS):
    """What ``work(rank)`` returns in n threads that begin at once; the first error is raised here."""
    begin, results, errors = threading.Barrier(n), [None] * n, []

    def run(rank):
        try:
            with fr.threads(1 + rank % 2):
                begin.wait()
                results[rank] = work(rank)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
