"""`lab adopt`: a script of one's own becomes a leaf as it is, and is measured in three lines."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from toy import Answer, Toy

CLASSIFIER = '''\
"""Tell handwritten digits apart."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

ALPHA = 0.01
EPOCHS = 3
SEED = 7

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=SEED)
model = SGDClassifier(alpha=ALPHA, max_iter=EPOCHS, tol=None, random_state=SEED)
model.fit(x_train, y_train)
print("train score:", model.score(x_train, y_train))
print("Test accuracy: {:.2f}%".format(100 * model.score(x_test, y_test)))
'''
NETWORK = """\
import argparse

import torch
from torch import nn

HIDDEN = 16
LR = 0.1

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
torch.manual_seed(args.seed)
x = torch.randn(512, 2)
y = (x.prod(1) > 0).long()
net = nn.Sequential(nn.Linear(2, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2))
opt = torch.optim.SGD(net.parameters(), lr=LR)
for epoch in range(args.epochs):
    loss = nn.functional.cross_entropy(net(x[:400]), y[:400])
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        val = nn.functional.cross_entropy(net(x[400:]), y[400:])
    print(f"Epoch [{epoch + 1}/{args.epochs}] loss: {loss.item():.4f} | val_loss: {val.item():.4f}")
torch.save(net.state_dict(), "net.pt")
"""
SORT = """\
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define N 200000
static int by(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(void) {
  int *a = malloc(N * sizeof *a);
  for (int i = 0; i < N; i++) a[i] = rand() % 1000;
  clock_t began = clock();
  qsort(a, N, sizeof *a, by);
  printf("sorted %d numbers in %.3f ms\\n", N, 1000.0 * (clock() - began) / CLOCKS_PER_SEC);
  return 0;
}
"""
MAKEFILE = "sort: sort.c\n\tcc -O1 -o sort sort.c\n"
SCORE = 'import random\nprint(f"score: {random.random():.6f}")\n'


@pytest.fixture
def theirs(tmp_path: Path) -> Toy:
    """An empty repository of somebody's, with one commit."""
    root = tmp_path / "repo"
    root.mkdir()
    theirs = Toy(root)
    theirs.git("init", "-q", "-b", "main")
    (root / "README.md").write_text("mine\n")
    theirs.commit("start")
    return theirs


def script(theirs: Toy, name: str, text: str, **others: str) -> None:
    """Commit a script, and files beside it."""
    for file, held in {name: text, **others}.items():
        (theirs.root / file).parent.mkdir(parents=True, exist_ok=True)
        (theirs.root / file).write_text(held)
    theirs.commit(name)


def adopted(theirs: Toy, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = theirs.lab("adopt", "--json", *words).json
    return found


def refused(theirs: Toy, *words: str, code: int) -> Answer:
    """Type `lab adopt`; it says what is wrong and what to type, and leaves nothing behind."""
    before = theirs.git("status", "--porcelain")
    answer = theirs.lab("adopt", *words, code=code)
    assert len(answer.err.strip().splitlines()) == 2, answer.err
    assert theirs.git("status", "--porcelain") == before
    return answer


def test_a_classifier_of_scikit_learn(theirs: Toy) -> None:
    script(theirs, "train.py", CLASSIFIER, **{"requirements.txt": "scikit-learn>=1.0\n# more\n"})
    found = adopted(theirs, "train.py")
    assert (found["leaf"], found["metric"], found["direction"]) == (
        *("root", "test_accuracy"),
        "maximize",
    )
    assert (found["knobs"], found["seed"]) == (["ALPHA", "EPOCHS"], "SEED")
    toml = (theirs.root / "leaf.toml").read_text()
    assert 'requires = ["scikit-learn>=1.0"]' in toml
    measured = theirs.lab("run", "--baseline", "--seeds", "3", "--leaf", ".", "--json").json
    values = [run["value"] for run in measured["runs"]]
    assert (measured["status"], len(set(values)) > 1, min(values) > 50) == ("finished", True, True)
    told = theirs.lab("loop", ".", "--agent", "tuner", "--experiments", "2").out
    assert "2 experiments" in told
    board = theirs.here("board", ".").out
    assert "test_accuracy (maximize), self-reported" in board
    shown = theirs.here("show", "e2").out
    assert "bear in mind: self-reported" in shown
    assert (
        theirs.git("show", "HEAD:train.py").strip() == CLASSIFIER.strip()
    )  # nothing of theirs was changed


def test_a_network_in_a_folder_of_its_own(theirs: Toy) -> None:
    script(theirs, "models/net.py", NETWORK)
    found = adopted(theirs, "models/net.py", "--", "--epochs", "5")
    assert (found["leaf"], found["metric"], found["seed"]) == ("models", "val_loss", "--seed")
    assert found["command"] == ["python", "net.py", "--epochs", "5", "--seed", "{seed}"]
    assert found["writes"] == ["net.pt"]
    measured = theirs.lab("run", "--baseline", "--seeds", "3", "--leaf", "models", "--json").json
    assert len({run["value"] for run in measured["runs"]}) == 3
    assert not (theirs.root / "models/net.pt").exists()


def test_a_c_program_with_a_makefile(theirs: Toy) -> None:
    script(theirs, "sort.c", SORT, Makefile=MAKEFILE)
    found = adopted(theirs, "sort.c")
    assert (found["metric"], found["direction"]) == ("numbers_in_ms", "minimize")
    measured = theirs.lab("run", "--baseline", "--seeds", "3", "--leaf", ".", "--json").json
    assert measured["status"] == "finished"
    campaign = Path(theirs.here("worktree", ".", "ada").out.strip())
    text = (campaign / "sort.c").read_text()
    idea = theirs.here("hypothesis", "fewer", "-m", "less", cwd=campaign).out.strip()
    (campaign / "sort.c").write_text(text.replace("qsort(a, N", "qsort(a, M"))
    lines = theirs.lab("run", idea, cwd=campaign, code=1).out.splitlines()
    assert lines[0] == "e2 failed: bug at sort.c:10"
    assert "undeclared" in lines[1]
    theirs.here("result", "e2", "-v", "crash", cwd=campaign)
    (campaign / "sort.c").write_text(text.replace("qsort(a,", "qsort(a,  "))
    idea = theirs.here("hypothesis", "a blank", "-m", "nothing", cwd=campaign).out.strip()
    assert "e3" in theirs.lab("run", idea, cwd=campaign, code=None).out


def test_what_does_not_compile_is_told_by_the_compilers_own_line(theirs: Toy) -> None:
    script(theirs, "sort.c", SORT.replace("return 0;", "return 0"), Makefile=MAKEFILE)
    said = refused(theirs, "sort.c", code=1).err
    assert "exit code 2: sort.c:12: error: expected" in said


def test_what_is_split_off_is_proven(theirs: Toy) -> None:
    script(theirs, "train.py", CLASSIFIER, **{"requirements.txt": "scikit-learn\njoblib\n"})
    adopted(theirs, "train.py")
    said = theirs.lab("check", ".")
    assert "note  split     self-reported: train.py prints its own score" in said.out
    assert "not proven here: whether the score is true" in said.out
    (theirs.root / "train.py").write_text(
        CLASSIFIER.replace("print(\"train", "import joblib, os\njoblib.dump(model, os.environ"
        "['LAB_RUN_DIR'] + '/model.pkl')\nprint(\"train")
    )  # fmt: skip
    (theirs.root / "evaluate.py").write_text(
        "import joblib, os\nfrom sklearn.datasets import load_digits\n"
        "model = joblib.load(os.environ['LAB_RUN_DIR'] + '/model.pkl')\n"
        "x, y = load_digits(return_X_y=True)\n"
        "print(f'---\\ntest_accuracy: {100 * model.score(x, y)}\\n---')\n"
    )
    toml = (theirs.root / "leaf.toml").read_text()
    toml = toml.replace('"self-reported" ', '["python", "evaluate.py"] ')
    toml = toml.replace('frozen = ["program.md"]', 'frozen = ["evaluate.py", "program.md"]')
    toml = toml.replace('requires = ["scikit-learn"]', 'requires = ["scikit-learn", "joblib"]')
    begins = toml.index("[printed]")
    toml = toml[:begins] + toml[toml.index("[profiles.smoke]") :]
    (theirs.root / "leaf.toml").write_text(toml)
    said = theirs.lab("check", ".", code=None)
    assert "ok    split     python evaluate.py scores what training left" in said.out
    assert "ok    same " in said.out


def test_a_script_without_luck_says_so(theirs: Toy) -> None:
    script(theirs, "f.py", 'X = 2.0\nprint("loss:", (X - 3) ** 2)\n')
    found = adopted(theirs, "f.py")
    assert (found["deterministic"], found["knobs"]) == (True, ["X"])
    measured = theirs.lab("run", "--baseline", "--seeds", "3", "--leaf", ".", "--json").json
    assert "seed_ignored" not in measured["flags"]


NEEDS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.parse_args()
"""
BAD = {
    "no number": ("print('done')\n", 4, "prints no number with a name", "print its score"),
    "ten numbers": (
        "".join(f'print("part {name}:", {ord(name)})\n' for name in "abcdefghij"),
        *(2, "nobody can tell which is its score", "--metric part_"),
    ),
    "no way": ('print("frobs: 3.5")\n', 2, "which way frobs is better", "--direction min, or max"),
    "arguments": (NEEDS, 1, "needs arguments: --data", "-- --option value"),
    "too long": (
        'import time\nprint("loss: 1", flush=True)\ntime.sleep(60)\n',
        *(4, "did not end within 2", "--limit 3600"),
    ),
    "no package": ("import nosuchthing\n", 1, "imports nosuchthing", "pip install nosuchthing"),
    "a crash": ("print('loss: 1')\n1 / 0\n", 1, "ZeroDivisionError", "Mend it"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_adopted_is_told_in_two_lines(theirs: Toy, name: str) -> None:
    text, code, says, hint = BAD[name]
    script(theirs, "train.py", text)
    answer = refused(
        theirs, "train.py", "--limit", "2.5" if name == "too long" else "60", code=code
    )
    first, second = answer.err.strip().splitlines()
    assert says in first, answer.err
    assert hint in second, answer.err


def test_what_a_run_would_not_have_is_told(theirs: Toy) -> None:
    (theirs.root / ".gitignore").write_text("x.txt\n")
    script(theirs, "train.py", 'print("loss:", float(open("x.txt").read()))\n')
    (theirs.root / "x.txt").write_text("1.5")
    answer = refused(theirs, "train.py", code=1)
    assert "reads x.txt, which git ignores" in answer.err
    (theirs.root / "other.py").write_text(SCORE)
    assert "git add other.py" in refused(theirs, "other.py", code=4).err
    assert "there is no nothing.py" in refused(theirs, "nothing.py", code=3).err
    theirs.git("add", "other.py")
    theirs.git("commit", "-qm", "other")
    adopted(theirs, "other.py")
    assert "is a leaf already" in refused(theirs, "other.py", code=4).err


def test_a_folder_without_git_and_a_repository_without_commits(tmp_path: Path) -> None:
    plain = Toy(tmp_path / "plain")
    plain.root.mkdir()
    (plain.root / "train.py").write_text(SCORE)
    assert "git init" in plain.lab("adopt", "train.py", code=None).err
    plain.git("init", "-q")
    answer = plain.lab("adopt", "train.py", code=4)
    assert "git commit" in answer.err


def test_a_script_brings_its_own_python(theirs: Toy, tmp_path: Path) -> None:
    python = theirs.root / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexport WHOSE=theirs\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (theirs.root / ".gitignore").write_text(".venv\n")
    script(theirs, "train.py", f"import os\nassert os.environ['WHOSE'] == 'theirs'\n{SCORE}")
    adopted(theirs, "train.py")
    assert 'interpreter = ".venv/bin/python"' in (theirs.root / "leaf.toml").read_text()
    found = json.loads(theirs.lab("run", "--baseline", "--leaf", ".", "--json").out)
    assert found["status"] == "finished"


# -- What the first newcomers typed -----------------------------------------------------


def test_what_a_score_is_measured_by_is_no_knob(theirs: Toy) -> None:
    text = "TEST_SIZE = 0.3\nN_FOLDS = 5\nUNREAD = 7\nLR = 0.1\n"
    script(theirs, "train.py", f"{text}print('loss:', LR + TEST_SIZE / N_FOLDS)\n")
    assert adopted(theirs, "train.py")["knobs"] == ["LR"]


def test_a_line_of_several_fields_names_each(theirs: Toy) -> None:
    says = ("epoch 7 | T 0.478 | loss 3.0 | best 0.07", "done: final loss 0.07 after 10 epochs")
    script(theirs, "sim/train.py", "".join(f"print({line!r})\n" for line in says))
    answer = refused(theirs, "sim/train.py", code=2)
    assert "epoch 7, t 0.478, loss 3, best 0.07, final_loss 0.07" in answer.err
    found = adopted(theirs, "sim/train.py", "--metric", "final_loss")
    assert (found["pattern"], found["leaf"]) == ("final loss {}", "sim")


def test_a_script_is_run_by_what_its_first_line_names(theirs: Toy) -> None:
    script(theirs, "go.sh", '#!/usr/bin/env bash\na=(1 2)\necho "time: ${a[1]} ms"\n')
    found = adopted(theirs, "go.sh")
    assert (found["command"], found["metric"], found["direction"]) == (
        *(["bash", "go.sh"], "time_ms"),
        "minimize",
    )


def test_an_unknown_kind_a_folder_and_a_path_from_the_root_are_told(theirs: Toy) -> None:
    script(
        theirs, "e/x.zig", "const a = 1;\n", **{"e/y.py": "open('e/data.csv')\n", "e/data.csv": "1"}
    )
    assert "nobody can tell how x.zig is run" in refused(theirs, "e/x.zig", code=4).err
    assert "is a folder" in refused(theirs, "e", code=2).err
    answer = refused(theirs, "e/y.py", code=1)
    assert "opens e/data.csv from the repository's root" in answer.err


def test_what_was_adopted_once_is_adopted_again(theirs: Toy) -> None:
    script(theirs, "f.py", 'X = 2.0\nprint("loss:", (X - 3) ** 2)\n')
    adopted(theirs, "f.py")
    before = (theirs.root / "leaf.toml").read_text()
    theirs.git("rm", "-q", "leaf.toml")
    adopted(theirs, "f.py")
    assert (theirs.root / "leaf.toml").read_text() == before
    assert theirs.git("status", "--porcelain") == ""
