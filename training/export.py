"""Writes the trained models where the filter embeds them, and what its tests compare with.

python -m training.export
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from training.features import BUCKETS, CLASSES, ROWS, Evidence, extract, literal, score

HERE = Path(__file__).parent
TASK = HERE.parent / "src" / "task"
COLUMNS = len(CLASSES) + 1
# Zeros behind the table, which let its last row be read sixteen wide.
TAIL = 16 - COLUMNS


def table() -> tuple[np.ndarray, np.ndarray, float]:
    """(int8 weights by row, int32 bias, unit of the difficulty column)."""
    classes = np.load(HERE / "task_class" / "model.npz")
    weights, bias, unit = np.zeros((ROWS, COLUMNS), np.int8), np.zeros(COLUMNS, np.int32), 0.0
    weights[:, :-1], bias[:-1] = classes["weights"], classes["bias"]
    if (HERE / "routing" / "model.npz").exists():
        difficulty = np.load(HERE / "routing" / "model.npz")
        found = difficulty["weights"]
        unit = float(np.float32(np.abs(found).max() / 127))
        weights[: len(found), -1] = np.clip(np.rint(found / unit), -127, 127).astype(np.int8)
        bias[-1] = round(float(difficulty["bias"]) / unit * 256)
        unit /= 256
    return weights, bias, unit


HOSTILE = [
    "", " ", "\\", "\\u", "\\u12", "\\ud83d", "\\ud83d\\ude00 smile", "\\ude00\\ud83d", "\\ud83dx\\u00e9t\\u00C9",
    "\\x41 \\q", "\\\\n\\n", "a\\/b", "```" + "`" * 40, "\\u0000\\u0001", "\u200b\u2028\ufeff", "😀😀 😀", "é" * 900,
    "漢" * 700, "\\n" * 800, '\\"' * 900, "a" * 5000, "A b " * 1000, "x" * 1020 + "\\ud83d\\ude00" + " y" * 900,
    "x" * 1023 + "é" * 400 + " z" * 300, "x" * 1021 + "漢" * 300, "ÀÉÎ ΑΩ АЯ ß ×÷ ªº", "((((", "1) a\\n2) b\\n- c\\n- d",
    "(a) x\\n(b) y\\n\\tfoo\\n\\tbar\\n  z\\n  q", "https://a.b/c http:/x ://", "ไทยแลนด์ ภาษา", "１２３ ＡＢＣ", "don’t “quote” it",
]  # fmt: skip


def cases() -> list[Evidence]:
    """Requests that both sides have to see alike: hostile ones, and prompts of our own in all sorts of
    surroundings, whole and repeated."""
    from training.task_class.data import own

    pick = random.Random(5)
    found = [Evidence(user=text.encode()) for text in HOSTILE]
    found += [Evidence(user=b"hi", system=text.encode(), tools=True, messages=4) for text in HOSTILE]
    for sample in pick.sample(own(seed=5), 220):
        text = sample.evidence.user
        if pick.random() < 0.2:
            text = b"\\n".join([text] * pick.randrange(2, 12))
        if pick.random() < 0.1:
            text = json.dumps(json.loads(b'"' + text + b'"')).encode()[1:-1]
        system = literal(pick.choice(["You are a translator.", "Réponds en français.", "x " * 200])) if pick.random() < 0.3 else None
        flag = lambda: pick.random() < 0.2
        found.append(Evidence(text, system, pick.choice([1, 2, 3, 4, 7, 8, 400]), flag(), flag(), flag()))
    return found


def class_of(scores: list[int], evidence: Evidence) -> str:
    """The class as the filter decides it."""
    if evidence.tools and evidence.tool_results:
        return "tools"
    possible = scores[: len(CLASSES)] if evidence.tools else scores[: CLASSES.index("tools")]
    return CLASSES[max(range(len(possible)), key=lambda c: possible[c])]


def main() -> None:
    weights, bias, unit = table()
    packed = bias.astype("<i4").tobytes() + np.float32(unit).tobytes() + weights.tobytes() + bytes(TAIL)
    (TASK / "weights.bin").write_bytes(packed)
    with (TASK / "parity.jsonl").open("w", encoding="utf-8") as file:
        for evidence in cases():
            scores = score(extract(evidence), weights, bias)
            row = {
                "user": evidence.user.decode(), "system": None if evidence.system is None else evidence.system.decode(),
                "messages": evidence.messages, "tools": evidence.tools, "tool_results": evidence.tool_results,
                "json": evidence.json, "scores": scores, "class": class_of(scores, evidence),
            }  # fmt: skip
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{len(packed)} bytes, {BUCKETS} hashed rows of {ROWS}")


if __name__ == "__main__":
    main()
