"""What scikit-learn, sacrebleu, rouge_score, scipy and statsmodels say of the IMHI files.

Usage: python scripts/reference/evaluation.py [--data ../shared/data] > cli/fixtures/evaluation.json
Needs scikit-learn, sacrebleu, rouge_score, scipy, statsmodels, numpy. The rules are written anew here, from the published
tables. The fixture holds numbers only, no text of the data.
"""

import argparse
import csv
import importlib.metadata
import json
from pathlib import Path

import numpy
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

YES_NO = {"yes": 1, "no": 0}
SWMH = {"no mental": 0, "suicide": 1, "depression": 2, "anxiety": 3, "bipolar": 4}
SAD = ["school", "financial", "family", "social", "work", "health", "emotional", "decision", "other"]
SAD_REFERENCE = ["school", "financial problem", "family issues", "social relationships", "work", "health issues",
                 "emotional turmoil", "everyday decision making", "other causes"]
CAMS = ["none", "bias", "jobs", "medication", "relationship", "alienation"]
CAMS_REFERENCE = ["none", "bias or abuse", "jobs and career", "medication", "relationship", "alienation"]
T_SID = {"depression": 2, "suicide": 1, "ptsd": 3, "no mental": 0}
T_SID_REFERENCE = {"depression": 2, "suicide or self-harm": 1, "ptsd": 3, "no mental disorders": 0}


def numbered(phrases):
    return {phrase: label for label, phrase in enumerate(phrases)}


OUTPUT = {"swmh": (SWMH, 0), "t-sid": (T_SID, 0), "SAD": (numbered(SAD), 8), "CAMS": (numbered(CAMS), 0)}
REFERENCE = {"swmh": SWMH, "t-sid": T_SID_REFERENCE, "SAD": numbered(SAD_REFERENCE), "CAMS": numbered(CAMS_REFERENCE)}


def find(phrases, text):
    answer = text.split("Reasoning:")[0].lower()
    for phrase, label in phrases.items():
        if phrase in answer:
            return label
    return None


def read(path):
    csv.field_size_limit(1 << 30)
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rule(dataset, rows):
    truth, guess, out_of_domain, unlabelled = [], [], 0, 0
    phrases, fallback = OUTPUT.get(dataset, (YES_NO, 0))
    for row in rows:
        reference = find(REFERENCE.get(dataset, YES_NO), row["goldens"])
        if reference is None:
            unlabelled += 1
            continue
        label = find(phrases, row["generated_text"])
        out_of_domain += label is None
        truth.append(reference)
        guess.append(fallback if label is None else label)

    def percent(value):
        return round(float(value) * 100, 2)

    return {
        "dataset": dataset,
        "rows": len(truth),
        "accuracy": percent(accuracy_score(truth, guess)),
        "weightedF1": percent(f1_score(truth, guess, average="weighted")),
        "microF1": percent(f1_score(truth, guess, average="micro")),
        "macroF1": percent(f1_score(truth, guess, average="macro")),
        "outOfDomain": out_of_domain,
        "unlabelledReferences": unlabelled,
    }


def quality(dataset, rows):
    texts = [row["generated_text"] for row in rows]
    references = [row["goldens"] for row in rows]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    scores = [scorer.score(reference, text) for text, reference in zip(texts, references)]
    return {
        "dataset": dataset,
        "rows": len(rows),
        "bleu": BLEU(smooth_method="none").corpus_score(texts, [references]).score / 100,
        **{name: float(numpy.mean([score[name].fmeasure for score in scores])) for name in ("rouge1", "rouge2", "rougeL")},
    }


def annotations(path, references):
    rows = read(path)
    (column,) = [name for name in rows[0] if name not in ("text", "label", *ASPECTS)]
    scorer = RougeScorer(["rouge1", "rougeL"])
    ratings, scores, identical, without = {aspect: [] for aspect in ASPECTS}, {"ROUGE-1": [], "ROUGE-L": []}, 0, 0
    for row in rows:
        reference = next((one["gpt-3.5-turbo"] for one in references if row["text"] in one["query"]), None)
        if reference is None:
            without += 1
        elif reference.strip() == row[column].strip():
            identical += 1
        else:
            score = scorer.score(reference, row[column])
            scores["ROUGE-1"].append(score["rouge1"].fmeasure)
            scores["ROUGE-L"].append(score["rougeL"].fmeasure)
            for aspect in ASPECTS:
                ratings[aspect].append(float(numpy.mean(json.loads(row[aspect]))))
    kept = len(scores["ROUGE-1"])
    correlations = []
    for metric, values in scores.items():
        for aspect in ASPECTS:
            pearson = stats.pearsonr(values, ratings[aspect])
            interval = pearson.confidence_interval()
            correlations.append({
                "metric": metric, "aspect": aspect,
                "pearson": [float(pearson.statistic), float(interval.low), float(interval.high)],
                "spearman": float(stats.spearmanr(values, ratings[aspect]).statistic),
                "kendall": float(stats.kendalltau(values, ratings[aspect]).statistic),
            })
    agreement = {aspect: float(fleiss_kappa(aggregate_raters(numpy.array([json.loads(row[aspect]) for row in rows]))[0]))
                 for aspect in ASPECTS}
    return {"file": path.stem, "rows": kept, "withoutReference": without, "identical": identical,
            "correlations": correlations, "agreement": agreement}


ASPECTS = ("fluency", "completeness", "reliability", "overall")

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, default=Path("../shared/data"))
imhi = parser.parse_args().data / "imhi"
folders = ["policy_output/Mentallama-7B", "response_generation_examples", "label_data_examples"]
pairs = {folder: {path.stem: read(path) for path in sorted((imhi / folder).glob("*.csv"))} for folder in folders}
dr = read(imhi / "test_instruction/DR.csv")
versions = {name: importlib.metadata.version(name)
            for name in ("scikit-learn", "sacrebleu", "rouge_score", "scipy", "statsmodels")}
print(json.dumps({
    "maker": "scripts/reference/evaluation.py",
    "versions": versions,
    "rule": {folder: [rule(name, rows) for name, rows in files.items()] for folder, files in pairs.items()},
    "quality": {folder: [quality(name, rows) for name, rows in files.items()] for folder, files in pairs.items()},
    "annotations": [annotations(path, dr) for path in sorted((imhi / "DR_annotation").glob("*.csv"))],
}, indent=1))
