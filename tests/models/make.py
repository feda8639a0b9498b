"""Makes models with XGBoost, LightGBM, scikit-learn and PyTorch, with inputs and the tools' own outputs.

    pip install numpy pandas xgboost lightgbm scikit-learn skl2onnx onnx onnxruntime torch onnxscript safetensors
    python3 tests/models/make.py FOLDER [--seed 1] [--only xgboost,lightgbm,sklearn,torch] [--rows 400] [--rounds 1.0] [--also PATH ...]
    cargo run --manifest-path lab/Cargo.toml -- check-golden FOLDER

FOLDER gets one folder for each data set, each in the form that `check-golden` reads: `index.json`, `inputs.csv.gz` (an empty cell is a
missing value), and for each model its files and `expected_NAME.csv.gz`. A tool that is not installed is left out and named. Models that
must be refused stand in `refused/`, with the words that the refusal must have.

`--also` runs the same again with an older version of a tool, installed by `pip install --no-deps --target PATH xgboost==1.7.6`.
`--small` makes the few small models that stand in `tests/golden/models`.

What each family is compared with: XGBoost and LightGBM with their own predictions of the model as loaded from its file; ONNX files of
scikit-learn with onnxruntime; networks of PyTorch with a forward pass in float64 of their float32 weights.
"""

import argparse
import gzip
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")

TREE_TOLERANCE = {"prob": 1e-6, "margin": 1e-5}
LIGHTGBM_TOLERANCE = 1e-12
ONNX_TOLERANCE = 1e-5
# Margins of networks against float64: the rounding of float32 grows with the margin, which no sigmoid flattens here.
NETWORK_TOLERANCE = {"prob": 1e-5, "margin": 3e-5}


class Data:
    """One data set: columns of given kinds, a binary label, rows to train on and rows to compare."""

    def __init__(self, name, columns, seed, train=3000, rows=400):
        rng = np.random.default_rng(seed)
        self.name, self.rng = name, rng
        total = train + rows
        made, score = [], np.zeros(total)
        for index, (kind, size, missing) in enumerate(columns):
            if kind == "number":
                x = rng.normal(size=total) * size
                score += (1.0 if index % 2 else -0.7) * np.tanh(x / size)
            elif kind == "whole":
                x = rng.integers(-3, 4, size=total) * 1.0
                score += 0.3 * np.abs(x)
            elif kind == "sparse":
                x = np.where(rng.random(total) < 0.6, 0.0, rng.exponential(size=total) * size)
                score += 0.5 * (x > size / 2)
            else:
                x = rng.integers(0, size, size=total) * 1.0
                score += rng.normal(size=size)[x.astype(int)]
            x[rng.random(total) < missing] = np.nan
            made.append(x)
        self.x = np.stack(made, 1).astype(np.float32)
        self.categories = [i for i, column in enumerate(columns) if column[0] == "category"]
        self.y = (score + rng.normal(size=total) > np.median(score)).astype(int)
        self.train, self.test = slice(0, train), slice(train, total)
        # Values that no row of the training data has, at the end of the rows to compare.
        self.x[-1] = [size + 7 if kind == "category" else size * 10 for kind, size, _ in columns]
        self.x[-2] = -1
        self.x[-3] = np.nan
        self.x[-4] = 0
        self.names = [f"f{i}" for i in range(len(columns))]
        self.impute = {name: float(np.float32(np.nan_to_num(np.nanmean(self.x[self.train, i])))) for i, name in enumerate(self.names)}
        self.models, self.expected = {}, {}

    def filled(self):
        return np.where(np.isnan(self.x), np.array([self.impute[name] for name in self.names], np.float32), self.x)

    def add(self, name, library, files, tolerance, expected, **more):
        self.models[name] = {"library": library, "files": files, "tolerance_abs": tolerance, **more}
        self.expected[name] = expected

    def write(self, root):
        if not self.models:
            return
        folder = root / self.name
        index = {"format": 1, "features": self.names, "models": self.models, "impute": self.impute}
        (folder / "index.json").write_text(json.dumps(index, indent=1))
        table(folder / "inputs.csv.gz", self.names, [[("" if np.isnan(v) else repr(float(v))) for v in row] for row in self.x[self.test]])
        for name, columns in self.expected.items():
            rows = zip(*[np.asarray(values, np.float64).ravel() for values in columns.values()])
            table(folder / f"expected_{name}.csv.gz", list(columns), [[repr(float(v)) for v in row] for row in rows])


def table(path, names, rows):
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(("\n".join([",".join(names)] + [",".join(row) for row in rows]) + "\n").encode())


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


def frame(d):
    """The training rows with categories as texts, as pandas users have them; a category's code is its number."""
    import pandas

    columns = {}
    for i, name in enumerate(d.names):
        x = d.x[d.train, i]
        if i in d.categories:
            names = [f"c{k:04}" for k in range(int(np.nanmax(x)) + 1)]
            x = pandas.Categorical.from_codes(np.nan_to_num(x, nan=-1).astype(int), names)
        columns[name] = x
    return pandas.DataFrame(columns)


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


# XGBoost


def make_xgboost(data, root, scale):
    import xgboost as xgb

    old = int(xgb.__version__.split(".")[0]) < 2
    label = "xgboost " + xgb.__version__

    def matrix(d, part, categories):
        kinds = ["c" if categories and i in d.categories else "float" for i in range(d.x.shape[1])]
        more = {"feature_types": kinds, "enable_categorical": True} if categories else {}
        return xgb.DMatrix(d.x[part], label=d.y[part], feature_names=d.names, missing=np.nan, **more)

    def model(d, name, rounds, categories=False, **parameters):
        parameters = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "seed": 7, "verbosity": 0, **parameters}
        try:
            booster = xgb.train(parameters, matrix(d, d.train, categories), max(1, int(rounds * scale)))
        except (xgb.core.XGBoostError, TypeError) as error:
            print(f"{label}: {name} left out: {str(error).splitlines()[0]}")
            return
        files = []
        for kind in ("json",) if old and xgb.__version__ < "1.6" else ("json", "ubj"):
            files.append(f"{name}.{kind}")
            booster.save_model(str(root / d.name / files[-1]))
        loaded = xgb.Booster(model_file=str(root / d.name / files[0]))
        test = matrix(d, d.test, categories)
        expected = {"margin": loaded.predict(test, output_margin=True)}
        expected["prob"] = sigmoid(expected["margin"]) if "logitraw" in parameters["objective"] else loaded.predict(test)
        d.add(name, label, files, TREE_TOLERANCE, expected)

    if "small" in data:
        small = data["small"]
        model(small, "xgb_trees", 5, categories=True, max_depth=3, max_cat_to_onehot=4)
        model(small, "xgb_dart", 4, booster="dart", rate_drop=0.5, max_depth=3, seed=2)
        return
    plain, gaps, mixed, wide, one = (data[k] for k in ("plain", "gaps", "mixed", "wide", "one"))
    model(plain, "xgb_stumps", 60, max_depth=1, eta=0.4)
    model(plain, "xgb_logitraw", 40, objective="binary:logitraw", max_depth=4)
    model(plain, "xgb_base_score", 30, base_score=0.3, scale_pos_weight=3.0)
    model(plain, "xgb_reg_logistic", 30, objective="reg:logistic", max_depth=5, eta=0.1)
    model(plain, "xgb_one_tree", 1 / scale, max_depth=3)
    model(gaps, "xgb_deep", 80, max_depth=9, eta=0.2, subsample=0.7)
    model(gaps, "xgb_exact", 40, tree_method="exact", max_depth=6)
    model(gaps, "xgb_approx", 40, tree_method="approx", max_depth=6)
    model(gaps, "xgb_dart", 50, booster="dart", rate_drop=0.2, max_depth=4)
    model(gaps, "xgb_dart_forest", 30, booster="dart", normalize_type="forest", rate_drop=0.3, skip_drop=0.2)
    model(gaps, "xgb_forest", 10, num_parallel_tree=8, subsample=0.6, colsample_bynode=0.5)
    model(gaps, "xgb_pruned", 40, max_depth=7, gamma=3.0, tree_method="exact")
    model(gaps, "xgb_zero_missing", 30, max_depth=5, max_delta_step=1.0)
    model(wide, "xgb_lossguide", 60, grow_policy="lossguide", max_leaves=48, max_depth=0)
    model(wide, "xgb_monotone", 40, monotone_constraints="(" + ",".join(["1"] * len(wide.names)) + ")")
    model(one, "xgb_one_column", 25, max_depth=6)
    model(mixed, "xgb_onehot", 40, categories=True, max_cat_to_onehot=1000, max_depth=5)
    model(mixed, "xgb_partition", 40, categories=True, max_cat_to_onehot=1, max_depth=5)
    model(mixed, "xgb_cat_mixed", 40, categories=True, max_cat_to_onehot=8, max_depth=7, max_cat_threshold=16)
    model(mixed, "xgb_dart_cat", 30, categories=True, booster="dart", rate_drop=0.2, max_cat_to_onehot=4)
    if int(xgb.__version__.split(".")[0]) >= 3:
        trained = xgb.DMatrix(frame(mixed), mixed.y[mixed.train], enable_categorical=True)
        booster = xgb.train({"objective": "binary:logistic", "max_depth": 5, "nthread": 1}, trained, max(1, int(30 * scale)))
        for kind in ("json", "ubj"):
            booster.save_model(str(root / mixed.name / f"xgb_pandas.{kind}"))
        margin = booster.predict(matrix(mixed, mixed.test, True), output_margin=True)
        expected = {"margin": margin, "prob": sigmoid(margin)}
        mixed.add("xgb_pandas", label, ["xgb_pandas.json", "xgb_pandas.ubj"], TREE_TOLERANCE, expected)
    if not old:
        classifier = xgb.XGBClassifier(n_jobs=1, n_estimators=40, early_stopping_rounds=3, max_depth=4, eval_metric="logloss")
        x, y = plain.x[plain.train], plain.y[plain.train]
        classifier.fit(x[:2000], y[:2000], eval_set=[(x[2000:], y[2000:])], verbose=False)
        classifier.get_booster().save_model(str(root / plain.name / "xgb_early_stopping.json"))
        margin = classifier.get_booster().predict(xgb.DMatrix(plain.x[plain.test]), output_margin=True)
        plain.add("xgb_early_stopping", label, ["xgb_early_stopping.json"], TREE_TOLERANCE, {"margin": margin, "prob": sigmoid(margin)})
    refused = data["refused"]
    for name, parameters, words in (
        ("xgb_regression", {"objective": "reg:squarederror"}, "objective reg:squarederror is not supported"),
        ("xgb_classes", {"objective": "multi:softprob", "num_class": 3}, "objective multi:softprob is not supported"),
        ("xgb_linear", {"objective": "binary:logistic", "booster": "gblinear"}, "booster gblinear is not supported"),
        ("xgb_poisson", {"objective": "count:poisson"}, "objective count:poisson is not supported"),
    ):
        booster = xgb.train({"verbosity": 0, **parameters}, matrix(plain, plain.train, False), 3)
        booster.save_model(str(root / "refused" / f"{name}.json"))
        refused[name] = (f"{name}.json", words)


# LightGBM


def make_lightgbm(data, root, scale):
    import lightgbm as lgb

    label = "lightgbm " + lgb.__version__

    def model(d, name, rounds, categories=False, x=None, **parameters):
        parameters = {"objective": "binary", "verbose": -1, "seed": 3, "num_threads": 1, "deterministic": True, **parameters}
        x = d.x if x is None else x
        trained = lgb.Dataset(x[d.train], d.y[d.train], feature_name=d.names, categorical_feature=d.categories if categories else "auto")
        booster = lgb.train(parameters, trained, max(1, int(rounds * scale)))
        booster.save_model(str(root / d.name / f"{name}.txt"))
        loaded = lgb.Booster(model_file=str(root / d.name / f"{name}.txt"))
        margin = loaded.predict(d.x[d.test], raw_score=True) * parameters.get("sigmoid", 1.0)
        if parameters.get("boosting") == "rf":
            # The raw score of a forest is the sum, its chance comes from the average.
            margin /= loaded.num_trees()
        d.add(name, label, [f"{name}.txt"], LIGHTGBM_TOLERANCE, {"margin": margin, "prob": loaded.predict(d.x[d.test])})

    if "small" in data:
        small = data["small"]
        model(small, "lgb_categories", 5, categories=True, num_leaves=7, min_data_per_group=5, cat_smooth=1.0)
        model(small, "lgb_zero", 4, zero_as_missing=True, num_leaves=6, sigmoid=1.5)
        return
    plain, gaps, mixed, sparse, wide, one = (data[k] for k in ("plain", "gaps", "mixed", "sparse", "wide", "one"))
    model(plain, "lgb_leaves", 60, num_leaves=63)
    model(plain, "lgb_sigmoid", 40, sigmoid=1.7)
    model(plain, "lgb_cross_entropy", 40, objective="cross_entropy")
    model(plain, "lgb_goss", 40, data_sample_strategy="goss")
    model(plain, "lgb_one_leaf", 5 / scale, min_data_in_leaf=5000)
    model(gaps, "lgb_nan", 60, num_leaves=31)
    model(gaps, "lgb_no_missing", 40, use_missing=False)
    model(gaps, "lgb_zero_missing", 40, zero_as_missing=True)
    model(gaps, "lgb_dart", 40, boosting="dart", drop_rate=0.3)
    model(gaps, "lgb_rf", 30, boosting="rf", bagging_freq=1, bagging_fraction=0.6, feature_fraction=0.6)
    model(gaps, "lgb_extra", 40, extra_trees=True, max_depth=12, num_leaves=200, min_data_in_leaf=2)
    model(sparse, "lgb_sparse", 60, num_leaves=15)
    model(sparse, "lgb_sparse_zero", 60, zero_as_missing=True, num_leaves=15)
    model(mixed, "lgb_categories", 50, categories=True, cat_smooth=1.0, min_data_per_group=5)
    model(mixed, "lgb_cat_onehot", 40, categories=True, max_cat_to_onehot=64)
    model(mixed, "lgb_cat_zero", 40, categories=True, zero_as_missing=True, min_data_per_group=5)
    model(wide, "lgb_wide", 60, num_leaves=31, feature_fraction=0.3)
    model(one, "lgb_one_column", 20)
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lgb.Dataset(frame(mixed), mixed.y[mixed.train]), max(1, int(30 * scale)))
    booster.save_model(str(root / mixed.name / "lgb_pandas.txt"))
    loaded = lgb.Booster(model_file=str(root / mixed.name / "lgb_pandas.txt"))
    expected = {"margin": loaded.predict(mixed.x[mixed.test], raw_score=True), "prob": loaded.predict(mixed.x[mixed.test])}
    mixed.add("lgb_pandas", label, ["lgb_pandas.txt"], LIGHTGBM_TOLERANCE, expected)
    refused = data["refused"]
    for name, parameters, words in (
        ("lgb_linear", {"objective": "binary", "linear_tree": True}, "a tree with linear leaves is not supported"),
        ("lgb_regression", {"objective": "regression"}, "objective regression is not supported"),
        ("lgb_classes", {"objective": "multiclass", "num_class": 3}, "num_class 3 is not supported"),
    ):
        y = plain.y[plain.train]
        booster = lgb.train({"verbose": -1, "num_threads": 1, **parameters}, lgb.Dataset(plain.x[plain.train], y), 3)
        booster.save_model(str(root / "refused" / f"{name}.txt"))
        refused[name] = (f"{name}.txt", words)


# scikit-learn


def onnx_chances(path, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: x})
    chances = outputs[-1]
    if isinstance(chances, list):
        return np.array([list(row.values())[1] for row in chances])
    return np.asarray(chances)[:, -1]


def make_sklearn(data, root, scale):
    import onnxruntime  # noqa: F401
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

    label = version("scikit-learn") + ", " + version("skl2onnx")

    def mlp(*layers, **more):
        return MLPClassifier(layers, max_iter=max(3, int(25 * scale)), random_state=5, **more)

    def model(d, name, classifier, input="imputed", zipmap=False, tolerance=ONNX_TOLERANCE):
        x = d.filled() if input == "imputed" else d.x
        classifier.fit(x[d.train], d.y[d.train])
        options = {id(classifier): {"zipmap": zipmap}}
        made = to_onnx(classifier, x[:1], options=options)
        path = root / d.name / f"{name}.onnx"
        path.write_bytes(made.SerializeToString())
        d.add(name, label, [path.name], tolerance, {"prob": onnx_chances(path, x[d.test])}, input=input)

    if "small" in data:
        small = data["small"]
        model(small, "skl_logistic", LogisticRegression())
        model(small, "skl_mlp", make_pipeline(StandardScaler(), mlp(8, 5)))
        model(small, "skl_boosting", GradientBoostingClassifier(n_estimators=4, max_depth=3))
        logistic = LogisticRegression(C=0.2).fit(small.filled()[small.train], small.y[small.train])
        weights = {"weights": logistic.coef_[0].tolist(), "bias": float(logistic.intercept_[0]), "columns": small.names}
        (root / "small" / "logistic.json").write_text(json.dumps(weights, indent=1))
        z = small.filled()[small.test].astype(np.float64) @ logistic.coef_[0] + logistic.intercept_[0]
        small.add("logistic", version("scikit-learn"), ["logistic.json"], 1e-12, {"margin": z, "prob": sigmoid(z)})
        return
    plain, gaps, wide, one, mixed = (data[k] for k in ("plain", "gaps", "wide", "one", "mixed"))
    model(plain, "skl_logistic", LogisticRegression())
    model(plain, "skl_logistic_zipmap", LogisticRegression(), zipmap=True)
    model(wide, "skl_logistic_scaled", make_pipeline(StandardScaler(), LogisticRegression(C=0.1)))
    model(wide, "skl_mlp_scaled", make_pipeline(StandardScaler(), mlp(32, 16)))
    model(gaps, "skl_mlp_minmax", make_pipeline(MinMaxScaler(), mlp(20, activation="tanh")))
    model(plain, "skl_mlp_maxabs", make_pipeline(MaxAbsScaler(), mlp(12, 12, 12, activation="logistic")))
    model(plain, "skl_mlp_relu", mlp(64))
    model(plain, "skl_mlp_deep", mlp(24, 20, 16, 12, 8, activation="tanh"), zipmap=True)
    model(one, "skl_mlp_one_column", mlp(1))
    model(one, "skl_mlp_identity", mlp(5, activation="identity"))
    model(plain, "skl_boosting", GradientBoostingClassifier(n_estimators=int(40 * scale) or 1, max_depth=4), input="raw")
    model(wide, "skl_boosting_wide", GradientBoostingClassifier(n_estimators=int(20 * scale) or 1, max_depth=2))
    # A regressor of log-odds: its plain output is taken as the margin.
    regressor = GradientBoostingRegressor(n_estimators=int(30 * scale) or 1, max_depth=4).fit(plain.x[plain.train], plain.y[plain.train] * 4.0 - 2)
    path = root / plain.name / "skl_regressor.onnx"
    path.write_bytes(to_onnx(regressor, plain.x[:1]).SerializeToString())
    plain.add("skl_regressor", label, [path.name], ONNX_TOLERANCE, {"margin": onnx_chances(path, plain.x[plain.test])}, input="raw")
    refused = data["refused"]
    for name, classifier, words in (
        ("skl_forest", RandomForestClassifier(5), "whose sums are no log-odds"),
        ("skl_hist_mlp_classes", mlp(4), "is not supported"),
    ):
        y = plain.y if name == "skl_forest" else plain.y + (plain.x[:, 0] > 1)
        classifier.fit(plain.filled()[plain.train], y[plain.train])
        made = to_onnx(classifier, plain.filled()[:1], options={id(classifier): {"zipmap": False}})
        (root / "refused" / f"{name}.onnx").write_bytes(made.SerializeToString())
        refused[name] = (f"{name}.onnx", words)
    try:
        model(gaps, "skl_hist_boosting", HistGradientBoostingClassifier(max_iter=int(40 * scale) or 1), input="raw")
    except Exception as error:  # noqa: BLE001, skl2onnx of some versions cannot write it
        print(f"{label}: skl_hist_boosting left out: {str(error).splitlines()[0]}")


# PyTorch


def make_torch(data, root, scale):
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(11)
    label = version("torch")

    class Gated(torch.nn.Module):
        """Scales its inputs, as a model with its preprocessing inside does."""

        def __init__(self, mean, scale, inner):
            super().__init__()
            self.register_buffer("mean", mean)
            self.register_buffer("scale", scale)
            self.inner = inner

        def forward(self, x):
            return self.inner((x - self.mean) / self.scale)

    def fit(d, network, classes=1):
        x, y = torch.tensor(d.filled()[d.train]), torch.tensor(d.y[d.train])
        optimiser = torch.optim.Adam(network.parameters(), 0.01)
        loss = torch.nn.BCEWithLogitsLoss() if classes == 1 else torch.nn.CrossEntropyLoss()
        for _ in range(max(5, int(60 * scale))):
            optimiser.zero_grad()
            out = network(x)
            loss(out[:, 0] if classes == 1 else out, y.float() if classes == 1 else y.long()).backward()
            optimiser.step()
        network.eval()

    def margin(d, network, classes=1):
        with torch.no_grad():
            out = network.double()(torch.tensor(d.filled()[d.test]).double()).numpy()
        network.float()
        return out[:, 0] if classes == 1 else out[:, 1] - out[:, 0]

    def export(path, network, columns, **more):
        torch.onnx.export(
            network, (torch.zeros(2, columns),), str(path), input_names=["x"], output_names=["out"], verbose=False,
            **{"dynamic_axes": {"x": {0: "n"}}, "dynamo": False, "opset_version": 17, **more},
        )

    def model(d, name, network, classes=1, tail=None, tolerance=NETWORK_TOLERANCE, **more):
        fit(d, network, classes)
        whole = torch.nn.Sequential(network, tail) if tail else network
        path = root / d.name / f"{name}.onnx"
        try:
            export(path, whole.eval(), d.x.shape[1], **more)
        except Exception as error:  # noqa: BLE001, one of the two exporters may be missing
            print(f"{label}: {name} left out: {str(error).splitlines()[0]}")
            return
        z = margin(d, network, classes)
        d.add(name, label, [path.name], tolerance, {"margin": z, "prob": sigmoid(z)}, input="imputed")

    def tensors(d, name, network, arch, dtype=torch.float32, metadata=True, tolerance=NETWORK_TOLERANCE):
        fit(d, network)
        network.to(dtype).float()
        path = root / d.name / f"{name}.safetensors"
        weights = {key: value.contiguous().to(dtype) for key, value in network.state_dict().items()}
        save_file(weights, str(path), metadata={"arch": arch} if metadata else None)
        z = margin(d, network)
        d.add(name, label, [path.name], tolerance, {"margin": z, "prob": sigmoid(z)}, input="imputed", **({} if metadata else {"arch": arch}))

    def layers(*parts):
        return torch.nn.Sequential(*parts)

    nn = torch.nn
    if "small" in data:
        small = data["small"]
        c = small.x.shape[1]
        model(small, "torch_gelu", layers(nn.Linear(c, 6), nn.GELU(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1)), tail=nn.Sigmoid())
        tensors(small, "tensors", layers(nn.Linear(c, 6), nn.ReLU(), nn.Linear(6, 1)), "Linear(0)-ReLU-Linear(2)-sigmoid")
        return
    plain, gaps, wide, one = (data[k] for k in ("plain", "gaps", "wide", "one"))
    p, g, w = plain.x.shape[1], gaps.x.shape[1], wide.x.shape[1]

    def scaled(d, inner):
        x = d.filled()[d.train]
        # A constant column keeps its scale, as in scikit-learn's StandardScaler.
        return Gated(torch.tensor(x.mean(0)), torch.tensor(np.where(x.std(0) > 0, x.std(0), 1).astype(np.float32)), inner)

    model(plain, "torch_relu", layers(nn.Linear(p, 32), nn.ReLU(), nn.Linear(32, 1)))
    model(plain, "torch_sigmoid_tail", layers(nn.Linear(p, 16), nn.Tanh(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1)), tail=nn.Sigmoid())
    model(plain, "torch_gelu", layers(nn.Linear(p, 24), nn.GELU(), nn.Linear(24, 12), nn.GELU(), nn.Linear(12, 1)))
    model(plain, "torch_gelu_20", layers(nn.Linear(p, 24), nn.GELU(), nn.Linear(24, 1)), opset_version=20)
    model(plain, "torch_no_bias", layers(nn.Linear(p, 16, bias=False), nn.Sigmoid(), nn.Linear(16, 1, bias=False)))
    model(plain, "torch_two_classes", layers(nn.Linear(p, 16), nn.ReLU(), nn.Linear(16, 2)), classes=2, tail=nn.Softmax(1))
    model(plain, "torch_linear", layers(nn.Linear(p, 1)), tail=nn.Sigmoid())
    model(gaps, "torch_scaled", scaled(gaps, layers(nn.Linear(g, 40), nn.ReLU(), nn.Linear(40, 1))), tail=nn.Sigmoid())
    model(wide, "torch_scaled_wide", scaled(wide, layers(nn.Linear(w, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, 1))))
    model(one, "torch_one_column", layers(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)))
    dynamo = {"dynamo": True, "dynamic_axes": None, "opset_version": 18, "external_data": False}
    model(plain, "torch_dynamo", layers(nn.Linear(p, 16), nn.GELU(), nn.Linear(16, 1)), tail=nn.Sigmoid(), **dynamo)
    model(gaps, "torch_dynamo_scaled", scaled(gaps, layers(nn.Linear(g, 16), nn.ReLU(), nn.Linear(16, 1))), **dynamo)
    tensors(plain, "tensors_text", layers(nn.Linear(p, 20), nn.ReLU(), nn.Linear(20, 1)), "Linear(0)-ReLU-Linear(2)-sigmoid")
    tensors(plain, "tensors_sizes", layers(nn.Linear(p, 20), nn.Tanh(), nn.Linear(20, 1)), f"Linear({p},20)-Tanh-Linear(20,1)", metadata=False)
    arch = {"format": 1, "layers": [{"linear": "0", "activation": "gelu"}, {"linear": "2", "activation": "sigmoid"}, {"linear": "4"}]}
    network = layers(nn.Linear(g, 20), nn.GELU(), nn.Linear(20, 6), nn.Sigmoid(), nn.Linear(6, 1))
    tensors(gaps, "tensors_json", network, json.dumps(arch))
    tensors(plain, "tensors_half", layers(nn.Linear(p, 20), nn.ReLU(), nn.Linear(20, 1)), "Linear(0)-ReLU-Linear(2)", dtype=torch.float16)
    tensors(plain, "tensors_bfloat", layers(nn.Linear(p, 20), nn.ReLU(), nn.Linear(20, 1)), "Linear(0)-ReLU-Linear(2)", dtype=torch.bfloat16)
    refused = data["refused"]
    for name, network, more, words in (
        ("torch_leaky", layers(nn.Linear(p, 4), nn.LeakyReLU(), nn.Linear(4, 1)), {}, "operator LeakyRelu is not supported"),
        ("torch_norm", layers(nn.Linear(p, 4), nn.LayerNorm(4), nn.Linear(4, 1)), {}, "operator LayerNormalization is not supported"),
        ("torch_gelu_tanh", layers(nn.Linear(p, 4), nn.GELU("tanh"), nn.Linear(4, 1)), {"opset_version": 20}, "with approximate tanh is not supported"),
        ("torch_conv", layers(nn.Unflatten(1, (1, p)), nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(2 * (p - 1), 1)), {}, "is not supported"),
        ("torch_two_outputs", layers(nn.Linear(p, 3)), {}, "output out of 3 values is not supported"),
    ):
        export(root / "refused" / f"{name}.onnx", network.eval(), p, **more)
        refused[name] = (f"{name}.onnx", words)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="xgboost,lightgbm,sklearn,torch")
    parser.add_argument("--rows", type=int, default=400, help="rows to compare")
    parser.add_argument("--rounds", type=float, default=1.0, help="factor of every number of trees and steps")
    parser.add_argument("--small", action="store_true", help="a few small models in one folder")
    parser.add_argument("--also", nargs="*", default=[], help="folders with other versions of a tool")
    options = parser.parse_args()
    for path in options.also:
        # In a process of its own, since a version once imported stays.
        only = [tool for tool in ("xgboost", "lightgbm") if (pathlib.Path(path) / tool).exists()]
        again = [sys.executable, __file__, str(options.folder / pathlib.Path(path).name), "--only", ",".join(only)]
        again += ["--seed", str(options.seed + 1), "--rows", str(options.rows), "--rounds", str(options.rounds)]
        # One thread: several of these tools wait busily for each other's.
        subprocess.run(again, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, check=True)
    number, gap = ("number", 1.0, 0.0), ("number", 3.0, 0.3)
    kinds = {
        "plain": [number] * 6 + [("whole", 3, 0.0)],
        "gaps": [gap] * 5 + [("number", 0.01, 0.7), ("whole", 3, 0.1), ("sparse", 2.0, 0.2), ("number", 1e6, 0.05), ("number", 1.0, 1.0)],
        "mixed": [("category", 3, 0.0), ("category", 40, 0.15), ("category", 300, 0.05), number, gap, ("category", 2, 0.3)],
        "sparse": [("sparse", 1.0, 0.0), ("sparse", 5.0, 0.2), number, ("whole", 3, 0.0)],
        "wide": [number, gap, ("whole", 3, 0.0), ("sparse", 2.0, 0.1)] * 50,
        "one": [("number", 2.0, 0.2)],
    }
    if options.small:
        kinds = {"small": [("category", 5, 0.1), ("category", 40, 0.0), number, ("number", 3.0, 0.3), ("whole", 3, 0.0)]}
    data = {name: Data(name, columns, options.seed * 100 + i, rows=options.rows) for i, (name, columns) in enumerate(kinds.items())}
    data["refused"] = {}
    for name in (name for name in data if name != "refused" or not options.small):
        (options.folder / name).mkdir(parents=True, exist_ok=True)
    makers = {"xgboost": make_xgboost, "lightgbm": make_lightgbm, "sklearn": make_sklearn, "torch": make_torch}
    for name in options.only.split(","):
        try:
            makers[name](data, options.folder, options.rounds)
        except ImportError as error:
            print(f"{name} left out: {error}")
    refused = data.pop("refused")
    for d in data.values():
        d.write(options.folder)
    if refused:
        models = {name: {"library": "refused", "files": [file], "refused": words} for name, (file, words) in refused.items()}
        (options.folder / "refused" / "index.json").write_text(json.dumps({"format": 1, "models": models}, indent=1))
    made = sum(len(d.models) for d in data.values())
    print(f"{made} models in {options.folder}, {len(refused)} to be refused")


if __name__ == "__main__":
    main()
