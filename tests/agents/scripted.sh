#!/bin/sh
# A morning of an agent that knows only `lab` and `sed`: a discard, a keep, a crash that is fixed, a
# crash that is dropped, a duplicate. While each run is at work it edits its next idea.
#
#     LAB='python -m lab' sh scripted.sh LEAF NAME     (somewhere in a repository with a baseline)
set -eu

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
lab() { $LAB "$@"; }
slope() { sed "s/^SLOPE = [^ ]*/SLOPE = $1/" train.py > train.new && mv train.new train.py; }
said() { sed -n "s/^ \"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" "$answer"; }
fail() { echo "scripted: $*" >&2; exit 1; }
expect() {  # CODE COMMAND...: a command that must end with that exit code
    want=$1; shift; got=0
    "$@" || got=$?
    [ "$got" = "$want" ] || fail "$* gave $got, not $want"
}
start() { expect 5 lab run "$1" --detach > "$answer"; }
finish() { expect "$1" lab wait --json > "$answer"; }

cd "$(lab worktree "$1" "$2")"

lab context > /dev/null
worse=$(lab hypothesis 'lower the slope' -m 'to be sure of the direction')
slope 0.5
start "$worse"
slope 2.0
finish 0
first=$(said experiment)
[ "$(said suggest)" = discard ] || fail "$first should be discarded"
expect 4 lab result "$first" -v discard 2> "$answer"  # it would take the next idea along
grep -q -- --keep-edits "$answer" || fail 'the refusal does not say how'
lab result "$first" -v discard --keep-edits --theory-revision 'up, not down' > /dev/null

better=$(lab hypothesis 'raise the slope' -m 'the truth is 3' --observe 'loss < 0.9x')
start "$better"
printf 'Up is better.\n' > notes.md
slope oops
finish 0
kept=$(said experiment)
while [ "$(said suggest)" = replicate ]; do
    expect 0 $LAB $(said next | sed 's/^lab //') > /dev/null
    finish 0
done
[ "$(said suggest)" = keep ] || fail "$kept should be kept"
lab result "$kept" -v keep > /dev/null

further=$(lab hypothesis 'raise it further' -m 'still below the truth')
start "$further"
slope 1.5
finish 1
crashed=$(said experiment)
start "$further"  # mended in the meantime
slope broken
finish 0
fixed=$(said experiment)
lab result "$fixed" -v discard --keep-edits > /dev/null

named=$(lab hypothesis 'a slope by name' -m 'names are nicer')
start "$named"
slope 0.5
finish 1
dropped=$(said experiment)
lab result "$dropped" -v crash --keep-edits > /dev/null

again=$(lab hypothesis 'half the slope' -m 'in other words' 2> /dev/null)
expect 4 lab run "$again" 2> "$answer"
grep -q -- --again "$answer" || fail 'the duplicate was not told'
slope 2.0  # as it was kept

lab lesson 'the slope goes up' --evidence "$first,$kept" > /dev/null
lab failures 'another slope' > "$answer"
grep -q 'up, not down' "$answer" || fail 'the lesson is not among the failures'
echo "$first $kept $crashed $fixed $dropped"
