"""What others need to profile a CSV file: python3 validate.py tfdv|whylogs FILE

tfdv is TensorFlow Data Validation's own path from a CSV file; whylogs profiles a table in memory in two halves and merges them, and reading is not
counted. Prints JSON: version, rows, CPU seconds, memory in bytes.
"""
import json, os, resource, sys, warnings

warnings.filterwarnings("ignore")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
cpu = lambda: sum(os.times()[:4])
tool, path = sys.argv[1:3]
if tool == "tfdv":
    import tensorflow_data_validation as tfdv

    version, started = tfdv.__version__, cpu()
    statistics = tfdv.generate_statistics_from_csv(path)
    seconds, rows = cpu() - started, int(statistics.datasets[0].num_examples)
else:
    import pandas as pd
    import whylogs as why

    table = pd.read_csv(path)
    version, rows, started = why.__version__, len(table), cpu()
    halves = [why.log(pandas=part).view() for part in (table.iloc[: rows // 2], table.iloc[rows // 2 :])]
    halves[0].merge(halves[1])
    seconds = cpu() - started
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"version": version, "rows": rows, "cpu": seconds, "memory": memory}))
