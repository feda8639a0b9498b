"""What `ears-lab evaluate --fast` computes, with numpy over pyarrow, row group by row group: python3 evaluate_numpy.py LOG...

Prints JSON: rows, CPU seconds, seconds, and the estimates of both policies, overall and by slice, with standard errors.
"""
import json, os, resource, sys, time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

pa.set_cpu_count(1)
started, cpu = time.time(), sum(os.times()[:2])
SLICES, LIMIT = 20, 10.0
rows, sums = 0, {name: np.zeros((13, SLICES)) for name in "ab"}
columns = ["ctx_slice", "propensity", "reward", "predicted", "target_a", "expected_a", "target_b", "expected_b"]
for path in sys.argv[1:]:
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=columns, use_threads=False)
        column = lambda name: table[name].combine_chunks().to_numpy(zero_copy_only=False)
        g, p, r, q = (column(name) for name in columns[:4])
        rows += len(g)
        for name, into in sums.items():
            w = column(f"target_{name}") / p
            d = column(f"expected_{name}")
            wr, correction = w * r, w * (r - q)
            dr, switch = d + correction, d + np.where(w <= LIMIT, correction, 0.0)
            for i, x in enumerate([None, w, w * w, wr, wr * wr, wr * w, dr, dr * dr, switch, switch * switch]):
                into[i] += np.bincount(g, x, SLICES)
            into[10] = np.maximum(into[10], w.max())


def estimates(s):
    n, w, w2, wr, wr2, wrw, dr, dr2, sw, sw2 = s[:10]
    mean = lambda a, b: (float(a / n), float(np.sqrt((b - a * a / n) / (n - 1) / n)))
    v = wr / w
    snips = (float(v), float(np.sqrt(max(wr2 - 2 * v * wrw + v * v * w2, 0.0)) / w))
    return {"IPS": mean(wr, wr2), "SNIPS": snips, "DR": mean(dr, dr2), "SwitchDR(10)": mean(sw, sw2)}


out = {name: {"all": estimates(s.sum(axis=1)), "slices": [estimates(s[:, i]) for i in range(SLICES)]} for name, s in sums.items()}
print(json.dumps({"rows": rows, "cpu": sum(os.times()[:2]) - cpu, "seconds": time.time() - started,
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "policies": out}))
