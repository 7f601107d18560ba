"""Make the tokenizer and the packed rows of tokens. Read-only during experiments.

    python prepare.py                # the profile for this machine
    LAB_PROFILE=cpu python prepare.py

A change here makes every earlier number incomparable, so it needs a pull request. Leaves in the
cache `tokenizer.json`, `train.bin` (uint16, packed rows of ROW_TOKENS + 1) and, last of all,
`meta.json`; held out, where no training is told of it, `held_out.bin` (uint16, one document after
the other) with its counts in `held_out.json`; and the same of other documents, sealed.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import data
import numpy as np
from data import pack, read_meta, write_rows

from shared import run as runs
from shared import text

BOS = "<|bos|>"  # opens every document; token 0; stands for no byte
# Digits in pairs beat runs of three at small vocabularies (nanochat's log: 0.965 against 0.969);
# a newline keeps its indentation and an identifier its underscores, because most text is code.
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[\r\n]+[ \t]*|[^\r\n\p{L}\p{N}]?[\p{L}_]+|\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
TOKENIZER_CHARS = 200_000_000  # merges of an 8k vocabulary settle long before
BATCH = 256  # documents handed to the tokenizer's threads at once
PASSAGE_CHARS = 8_000  # a corpus of few files is split by passages of about this size
TOLD = ("row_tokens", "vocab_size", "max_tokens", "held_out_bytes", "shards", "held_out_shard")
FEW_FILES = 40  # below this, one file in twenty may be none
Sets = tuple[Iterator[str], list[str], list[str]]  # documents to train on, held out, sealed


def main() -> None:
    """Prepare the profile's data, or say that it is ready."""
    started, run = time.perf_counter(), runs.here(__file__)
    key = fingerprint(run)
    apart = (run.held_out / "held_out.bin").exists()
    if apart and read_meta(run.cache).get("key") == key:
        runs.say(f"ready: {run.cache}")
        return
    try:
        meta = build(run)
    except OSError as error:
        raise SystemExit(f"cannot write {run.cache}: {error.strerror}; free some space") from None
    meta |= {"key": key, "seconds": round(time.perf_counter() - started, 1)}
    part = run.cache / "meta.json.part"
    part.write_text(json.dumps(meta, indent=1), encoding="utf-8")
    part.replace(run.cache / "meta.json")  # last, so that a half-made cache is made again
    runs.say(
        f"made {run.cache} in {meta['seconds']} s: {meta['train_tokens']:,} tokens to train on, "
        f"{meta['held_out_bytes']:,} bytes held out, sha256 {meta['corpus_sha256'][:12]}"
    )


def fingerprint(run: runs.Run) -> str:
    """Return the hash of everything the cache depends on, without reading the corpus itself."""
    source = corpus_of(run)
    own = source == run.leaf / "task"  # exported afresh for every run, so its path says nothing
    told = [[name, run.settings.get(name)] for name in TOLD]
    told.append(["corpus", "task" if own else str(source)])
    digest = hashlib.sha256(json.dumps([told, sys.version]).encode())
    for file in (__file__, data.__file__, text.__file__):
        digest.update(Path(file).read_bytes())
    for file in text.files(source) if isinstance(source, Path) else []:
        # Git dates nothing, so a person's own folder is read; a big corpus is known by its dates.
        stamp = file.read_bytes() if own else file.stat().st_mtime_ns
        digest.update(f"{file.name}:{file.stat().st_size}:{stamp!r}".encode())
    return digest.hexdigest()


# -- Where the text comes from ------------------------------------------------


def corpus_of(run: runs.Run) -> Path | str:
    """Return the text to use: the person's own in `task/`, else the profile's `corpus`."""
    if text.files(run.leaf / "task"):
        return run.leaf / "task"
    corpus = str(run.settings.get("corpus", "stdlib"))
    if corpus == "stdlib" or corpus.startswith("hub:"):
        return corpus
    path = (run.leaf / Path(corpus).expanduser()).resolve()
    if not path.exists():
        raise SystemExit(
            f"corpus {corpus!r} is neither stdlib, hub:OWNER/NAME nor a path that exists; "
            "set corpus in leaf.toml"
        )
    return path


def documents(run: runs.Run) -> Sets:
    """Return documents to train on, held out and sealed; the first may be larger than memory."""
    source, limit = corpus_of(run), int(run.settings.get("held_out_bytes", 10**9))
    if source == "stdlib":
        train, held, sealed = text.split(text.standard_library().items())
    elif isinstance(source, str):
        return hub_documents(run, source.removeprefix("hub:"), limit)
    elif len(text.files(source)) < FEW_FILES and folder_bytes(source) < TOKENIZER_CHARS:
        train, held, sealed = text.split(passages(text.documents(source)))
        if not held and len(train) > 1:
            held = [train.pop()]
    else:  # too many to hold: a pass for each
        apart = [
            list(first_bytes((body for name, body in text.documents(source) if is_it(name)), limit))
            for is_it in (text.held_out, text.sealed)
        ]
        rest = (
            body
            for name, body in text.documents(source)
            if not text.held_out(name) and not text.sealed(name)
        )
        return rest, apart[0], apart[1]
    return iter(train), list(first_bytes(held, limit)), list(first_bytes(sealed, limit))


def folder_bytes(path: Path) -> int:
    """Return the size of a corpus on disk; what is compressed counts as ten times larger."""
    return sum(
        file.stat().st_size * (10 if file.suffix in {".xz", ".parquet"} else 1)
        for file in text.files(path)
    )


def passages(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Cut documents at line ends into passages, so that a corpus of one file can be split too."""
    for name, body in pairs:
        passage, size = [], 0
        for line in body.splitlines(keepends=True):
            passage.append(line)
            size += len(line)
            if size >= PASSAGE_CHARS:
                yield f"{name}#{size}{passage[0]}", "".join(passage)
                passage, size = [], 0
        if passage:
            yield f"{name}#{size}{passage[0]}", "".join(passage)


def first_bytes(bodies: Iterable[str], limit: int) -> Iterator[str]:
    """Yield whole documents until `limit` bytes are passed."""
    seen = 0
    for body in bodies:
        if seen >= limit:
            return
        seen += len(body.encode())
        yield body


def hub_documents(run: runs.Run, name: str, limit: int) -> Sets:
    """Fetch parquet shards from the hub; the last shard of the data set is held out, and sealed."""
    shards = int(run.settings.get("shards", 10))
    held_shard = int(run.settings.get("held_out_shard", 6542))
    paths = [fetch(name, number) for number in [*range(shards), held_shard]]
    last = (body for _, body in text.documents(paths[-1]))
    held, sealed = list(first_bytes(last, limit)), list(first_bytes(last, limit))
    train = chain.from_iterable(text.documents(path) for path in paths[:-1])
    return (body for _, body in train), held, sealed


def fetch(name: str, number: int) -> Path:
    """Return the local path of one shard; the hub's own cache keeps it for every profile."""
    file = f"shard_{number:05d}.parquet"
    try:
        from huggingface_hub import hf_hub_download

        runs.say(f"fetching {name} {file}")
        return Path(hf_hub_download(name, file, repo_type="dataset"))
    except ImportError:
        why = "huggingface_hub is not installed"
    except Exception as error:  # the hub's client raises a dozen kinds, all mean the same here
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    raise SystemExit(
        f"cannot fetch {file} of {name}: {why}\n"
        "without the hub use --profile cpu, or set corpus in leaf.toml to a folder of parquet or "
        f"text; to fetch where there is a network: hf download {name} {file} --repo-type dataset"
    )


# -- Tokens and rows ----------------------------------------------------------


def build(run: runs.Run) -> dict[str, Any]:
    """Write tokenizer, rows and held-out tokens; return what `meta.json` records."""
    row, vocab = int(run.settings["row_tokens"]), int(run.settings["vocab_size"])
    if not 257 <= vocab <= 65536:
        raise SystemExit(f"vocab_size is {vocab}; uint16 rows and bytes need 257 to 65536")
    train, held, sealed = documents(run)
    sample = list(first_bytes(train, TOKENIZER_CHARS))
    if not sample or not held:
        raise SystemExit("the corpus is empty or too small to split; give it a few pages of text")
    tokenizer = train_tokenizer(sample, vocab)
    tokenizer.save(str(run.cache / "tokenizer.json"))
    counts = hold_out(run.held_out, tokenizer, held)
    if run.sealed and sealed:
        hold_out(run.sealed, tokenizer, sealed)
    digest = hashlib.sha256(text.sha256(held).encode())
    limit = int(run.settings.get("max_tokens", 2**62))
    pieces = until(limit, encode(tokenizer, chain(sample, train), digest))
    rows = write_rows(pack(pieces, row + 1), run.cache / "train.bin")
    if rows == 0:
        raise SystemExit(f"the corpus has fewer than {row} tokens; give it more text")
    return {
        "row_tokens": row,
        "vocab_size": tokenizer.get_vocab_size(),
        "rows": rows,
        "train_tokens": rows * row,
        **counts,
        "corpus_sha256": digest.hexdigest(),
        "tokenizer_sha256": hashlib.sha256((run.cache / "tokenizer.json").read_bytes()).hexdigest(),
    }


def hold_out(folder: Path, tokenizer: Any, held: list[str]) -> dict[str, int]:
    """Write documents that are held out; return what there is of them."""
    tokens = np.concatenate(list(encode(tokenizer, held)))
    runs.make_folder(folder)
    tokens.tofile(folder / "held_out.bin")
    counts = {
        "held_out_tokens": len(tokens),
        "held_out_documents": len(held),
        "held_out_bytes": sum(len(body.encode()) for body in held),
    }
    (folder / "held_out.json").write_text(json.dumps(counts), encoding="utf-8")
    return counts


def train_tokenizer(sample: list[str], vocab: int) -> Any:
    """Return a byte-level BPE: any text is encoded, and decoded to the same bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    runs.say(f"training a tokenizer of {vocab} on {sum(map(len, sample)):,} characters")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer)
    # A corpus that spells BOS out must come back as those bytes, not as the mark of a document.
    tokenizer.encode_special_tokens = True
    return tokenizer


def encode(tokenizer: Any, bodies: Iterable[str], digest: Any = None) -> Iterator[np.ndarray]:
    """Yield each document as uint16 tokens with BOS first; tells progress on stderr."""
    bodies, done, told = iter(bodies), 0, time.monotonic()
    while batch := list(islice(bodies, BATCH)):
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            ids = np.zeros(len(encoding) + 1, dtype=np.uint16)  # position 0 stays BOS
            ids[1:] = encoding.ids
            done += len(ids)
            yield ids
        if digest is not None:
            digest.update(text.sha256(batch).encode())
        if time.monotonic() - told > 5:
            told = time.monotonic()
            runs.say(f"tokenised {done:,} tokens")


def until(limit: int, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield documents until `limit` tokens are passed."""
    seen = 0
    for piece in pieces:
        if seen >= limit:
            return
        seen += len(piece)
        yield piece


if __name__ == "__main__":
    main()
