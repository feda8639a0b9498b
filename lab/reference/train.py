"""Reference scores for the trainers: scikit-learn, XGBoost and LightGBM on the splits that `ears-lab train-reference` writes.

    python train.py scores FOLDER > train.json    scores of all models, to be kept beside this file
    python train.py time FOLDER THREADS           seconds of one XGBoost training on FOLDER/timing.f32

Needs numpy, scikit-learn >= 1.7, xgboost and lightgbm. Every model stops on the judging rows, as ours do.
"""

import csv
import hashlib
import json
import os
import sys
import time
import warnings

import numpy as np

FOLDS = 5
ROUNDS, PATIENCE, RATE, DEPTH = 300, 20, 0.1, 5
EPOCHS, EPOCH_PATIENCE, BATCH, HIDDEN = 200, 10, 256, (32, 16)
TIMING_COLUMNS, TIMING_TREES, TIMING_DEPTH = 20, 100, 6


def load(folder, name):
    path = os.path.join(folder, name + ".csv")
    with open(path, newline="") as file:
        table = csv.reader(file)
        header = next(table)
        rows = list(table)
    width = header.index("reward")
    x = np.array([[float(cell) if cell else np.nan for cell in row[:width]] for row in rows], dtype=np.float32)
    y = np.array([float(row[width]) for row in rows])
    w = np.array([float(row[width + 1]) for row in rows])
    part = np.array([int(row[-1]) for row in rows])
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {"x": x, "y": y, "w": w, "part": part, "digest": digest}


def fold(data, test):
    """Rows to learn from, to judge by and to test on, when part `test` is tested."""
    judge = (test + 1) % FOLDS
    part = data["part"]
    return {**data, "learn": (part != test) & (part != judge), "judge": part == judge, "test": part == test}


def log_loss(y, p, w):
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return float(-np.average(y * np.log(p) + (1 - y) * np.log(1 - p), weights=w))


def standardised(data):
    x, w, learn = data["x"].astype(np.float64), data["w"], data["learn"]
    mean = np.array([np.average(c[~np.isnan(c)], weights=w[learn][~np.isnan(c)]) for c in x[learn].T])
    x = np.where(np.isnan(x), mean, x)
    sd = np.sqrt(np.average((x[learn] - mean) ** 2, axis=0, weights=w[learn]))
    return (x - mean) / np.where(sd > 0, sd, 1)


def scores(folder):
    import lightgbm
    import sklearn
    import xgboost
    splits = {}
    for name in ("kuairand", "open_bandit"):
        data = load(folder, name)
        sums, weight = {}, 0.0
        for test in range(FOLDS):
            part = fold(data, test)
            total = part["w"][part["test"]].sum()
            weight += total
            for model, loss in (("linear", linear), ("trees", trees), ("leaves", leaves), ("network", network)):
                sums[model] = sums.get(model, 0.0) + total * loss(part, test + 1)
        splits[name] = {"sha256": data["digest"], "log_loss": {model: value / weight for model, value in sums.items()}}
    versions = {module.__name__: module.__version__ for module in (np, sklearn, xgboost, lightgbm)}
    record = {"format": 1, "versions": versions, "seeds": list(range(1, FOLDS + 1)), "splits": splits}
    print(json.dumps(record, indent=1, sort_keys=True))


def parts(data):
    return (data[k] for k in ("x", "y", "w", "learn", "judge", "test"))


def linear(data, seed):
    from sklearn.linear_model import LogisticRegression

    _, y, w, learn, _, test = parts(data)
    z = standardised(data)
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(z[learn], y[learn], sample_weight=w[learn])
    return log_loss(y[test], model.predict_proba(z[test])[:, 1], w[test])


def trees(data, seed):
    import xgboost

    x, y, w, learn, judge, test = parts(data)
    settings = {"objective": "binary:logistic", "tree_method": "hist", "max_bin": 256, "max_depth": DEPTH, "eta": RATE, "nthread": 1, "seed": seed}
    model = xgboost.train(
        settings,
        xgboost.DMatrix(x[learn], y[learn], weight=w[learn]),
        ROUNDS,
        evals=[(xgboost.DMatrix(x[judge], y[judge], weight=w[judge]), "judge")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    best = (0, model.best_iteration + 1)
    return log_loss(y[test], model.predict(xgboost.DMatrix(x[test]), iteration_range=best), w[test])


def leaves(data, seed):
    import lightgbm

    x, y, w, learn, judge, test = parts(data)
    model = lightgbm.train(
        {"objective": "binary", "num_leaves": 31, "max_depth": DEPTH, "learning_rate": RATE, "num_threads": 1, "verbose": -1, "seed": seed},
        lightgbm.Dataset(x[learn], y[learn], weight=w[learn]),
        ROUNDS,
        valid_sets=[lightgbm.Dataset(x[judge], y[judge], weight=w[judge])],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return log_loss(y[test], model.predict(x[test]), w[test])


def network(data, seed):
    """The test loss of the pass with the least judging loss."""
    from sklearn.neural_network import MLPClassifier

    _, y, w, learn, judge, test = parts(data)
    z = standardised(data)
    model = MLPClassifier(HIDDEN, batch_size=BATCH, random_state=seed)
    best = (np.inf, 0, np.nan)
    for epoch in range(EPOCHS):
        model.partial_fit(z[learn], y[learn], classes=[0, 1], sample_weight=w[learn])
        loss = log_loss(y[judge], model.predict_proba(z[judge])[:, 1], w[judge])
        if loss < best[0]:
            best = (loss, epoch, log_loss(y[test], model.predict_proba(z[test])[:, 1], w[test]))
        elif epoch - best[1] >= EPOCH_PATIENCE:
            break
    return best[2]


def timed(folder, threads):
    import xgboost

    table = np.fromfile(os.path.join(folder, "timing.f32"), dtype="<f4").reshape(-1, TIMING_COLUMNS + 1)
    x, y = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
    settings = {"objective": "binary:logistic", "tree_method": "hist", "max_bin": 256, "max_depth": TIMING_DEPTH, "eta": 0.1, "nthread": threads}
    start = time.perf_counter()
    xgboost.train(settings, xgboost.DMatrix(x, y, nthread=threads), TIMING_TREES)
    print(json.dumps({"seconds": time.perf_counter() - start, "version": xgboost.__version__}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if sys.argv[1:2] == ["scores"] and len(sys.argv) == 3:
        scores(sys.argv[2])
    elif sys.argv[1:2] == ["time"] and len(sys.argv) == 4:
        timed(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(__doc__)
