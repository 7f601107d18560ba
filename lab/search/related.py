"""Words of common speech that go together: not the same, but who says one may mean another.

A line is a group; each of its words leads to all others, in either direction. A word may stand in
several groups. What is written here counts a good deal less than a spelling of `vocabulary`.
"""

COMMON = """
smooth, soften, soft, blur, average, smoothing, moving average, gentle
average, mean, averaging, combine, aggregate, pool, blend, merge
vote, majority, commonest, most frequent, frequent, consensus, agree, decide, together, ensemble
several, multiple, many, different, various, committee, ensemble, 3, 5
draw, sample, samples, candidate, pick, choose, select, generate, rollout
picture, image, images, photo, pixel, visual, vision, view
augmentation, augment, crop, flip, cutout, mixup, erase, rotate, jitter, mirror, perturb, paraphrase
square, squares, patch, patches, box, 8x8, region, block
pair, pairs, two, couple, mixup, mix, blend
shape, size, length, width, height, dimension, segment, number, amount, count
small, smaller, tiny, weak, weaker, low, few, fewer, short, cheap, cheaper, less, light, mini
big, bigger, large, larger, strong, stronger, high, many, more, long, heavy, huge, 7b
cheap, cheaper, cost, costs, price, expensive, weaker, budget
network, net, model, architecture, backbone, transformer, checkpoint, weights
block, blocks, layer, layers, depth, stage
pretrained, base, checkpoint, 7b, 1 5b, foundation, model size
limit, cap, clip, bound, restrict, max, ceiling, constrain, clamp, truncate, softcap
update, updates, gradient, step, steps, delta
squash, tanh, sigmoid, softcap, cap, compress, bounded
sharp, sharper, peaked, temperature, confident, cold
start, begin, initial, first, init, from, starting, initialise, beginning
end, final, last, finish, finally, finish, closing, floor
increase, ramp, grow, rise, warm, climb
decrease, decay, taper, anneal, fall, shrink, fade, cool, cooldown, warmdown
forbid, tabu, prevent, ban, exclude, disallow, block, avoid, mask
remember, memory, buffer, cache, store, keep, replay, history, past
reuse, cache, share, caching, prefix, again, repeat, recycle, epochs
forget, discount, decay, drop
share, shared, common, single, one, tie, joint, tied, same
separate, independent, own, split, distinct, apart, per
split, divide, partition, chunk, shard, parallel, cut, segment
group, bucket, sort, cluster, batch, order
similar, near, alike, like, same, identical, nearest, duplicate, duplicates
explain, explanation, reason, reasons, feedback, critique, comment, comments, thought, rationale
critique, reflection, reflect, feedback, advice, review, judge, criticism, suggest
judge, grader, verdict, score, reward, pass, fail, grade, evaluator
think, reason, comment, comments, scratchpad, plan, chain, step by step, before answering
verbose, long, longer, wordy, tokens, detailed, lengthy
punish, penalty, penalise, penalize, minus, cost, negative, fine, discourage
reward, credit, bonus, point, score, positive, incentive
partial, partly, part, half, fraction, share, some
all, every, each, only, whole, full, complete, entire
invocation, call, calls, tool, request, use, api, function
hard, difficult, none, solves, unsolved, tough, challenging, harder
easy, simple, every, solved, solves, trivial, easier
random, seed, randomness, chance, luck, stochastic, generator, noise, rng
artificial, synthetic, generated, paraphrase, paraphrases, rewording, rewordings, reworded, fake
reword, rephrase, paraphrase, rewrite, wording, phrasing, variant
normalise, normalize, norm, scale, standardize, whiten, divide, deviation, unit, variance, centre
deviation, variance, spread, std, sd, sigma, scatter
activation, relu, gelu, silu, swish, nonlinearity, squared relu, swiglu, sigmoid, tanh
norm, layernorm, rmsnorm, batchnorm, groupnorm, normalization, bn
optimiser, optimizer, adam, adamw, sgd, muon, lion, nesterov, momentum
momentum, velocity, nesterov, beta, heavy ball
regularisation, regularization, dropout, weight decay, decay, wd, l2, smoothing, penalty, noise
fast, faster, quick, speed, slow, slower, throughput, cost, time, efficient, cheaper, seconds
precision, float32, float16, bf16, fp16, int8, half, double, digits, bits, arithmetic, exact
machine, gpu, gpus, card, cards, device, devices, cpu, core, cores, thread, threads, hardware, node
crash, fail, error, oom, memory, diverge, diverges, nan, spike, spikes, unstable, instability
stable, stability, spike, clip, warmup, robust, diverge
guess, draft, predict, speculative, ahead, propose, estimate, forecast
predict, prediction, forecast, estimate, output, target
token, tokens, word, words, symbol, character, byte
word, words, token, vocabulary, vocab, embedding, lexical
lookup, table, embedding, matrix, dictionary, wte
reading, input, embed, embedding, encode, encoder
writing, output, unembed, unembedding, decode, decoder, lm head, head, logits, projection
attention, heads, head, query, key, value, keys, values, kv, qk
window, span, local, context, range, horizon, reach, lookback, sequence
see, attend, look, observe, view, attention
explore, exploration, entropy, epsilon, random, curiosity, noise, diversity
imitate, copy, teacher, demonstrate, expert, example, distill
example, examples, demonstration, shot, instance, case, sample, few shot
collect, collecting, gather, experience, rollout, rollouts, sample, environment, environments
experience, transition, transitions, replay, trajectory, rollout, episode, batch
frequency, rate, often, every, interval, period, times
surprising, error, unexpected, priority, prioritised, prioritized, loss, hard
anchor, reference, stay, close, original, began, initial, kl, pull, base, hold
missing, fill, impute, absent, empty, median, nan, gap
column, columns, feature, features, variable, variables, covariate, field, attribute, input
row, rows, example, record, sample, sequence, line
label, labels, target, targets, class, classes, answer, truth, annotation
class, classes, category, categories, label, rare, minority
tree, trees, leaf, leaves, forest, node, split, depth
patient, patience, wait, stop, rounds, early, progress
document, documents, passage, passages, text, page, pages, chunk, chunks, article
retrieve, retrieval, search, fetch, find, top, lookup, recall
question, questions, query, prompt, request, task, problem, input
guide, guidance, condition, conditional, steer, control, caption
unconditional, caption, drop, label, free, condition
signal, snr, noise, ratio, weight, information
calendar, date, holiday, weekday, season, month, day, hour, time
history, past, back, lookback, previous, lag, earlier, hours
recurrent, lstm, gru, rnn, state, hidden
solution, tour, route, path, schedule, assignment, answer, plan
worse, uphill, accept, longer, bad, inferior, degrade
cool, cooler, cold, temperature, heat, hot, hotter, temp, melt, anneal
perturb, kick, shake, disturb, noise, jolt, mutate, mutation
neighbour, neighbours, neighbor, neighbors, candidate, candidates, near, nearest, adjacent
construct, build, greedy, create, make, construction, initial
code, program, programs, function, script, source, tests
check, test, tests, verify, validate, validation, evaluate
correct, right, exact, true, accurate, match
freeze, frozen, fix, fixed, hold, constant, lock, only
top, upper, last, final, deep, late
bottom, lower half, lower, first, early, shallow
half, halve, 0 5, 50 percent, double
compress, quantize, quantise, quantization, bits, bit, int8, int4, small, prune, distill
channel, channels, width, filters, dimension, hidden
wide, wider, width, dim, hidden, channels, narrow, narrower, dimension
narrow, tight, tighter, small, std, thin, slim
distribution, std, variance, gaussian, normal, uniform, init, spread
mix, mixture, combine, blend, hybrid, interleave, half and half, fusion
merge, combine, join, crossover, fuse, recombine
remove, without, drop, off, left out, omit, disable, delete, skip, no, ablate
replace, instead, swap, switch, in place of, rather
alternative, another, other, different, instead
compile, jit, c, native, numba, cuda, graph
serve, serving, request, requests, concurrent, batch, user, throughput
depend, sensitive, vary, variance, noise, seed, robust
learn, learning rate, lr, train, step size
"""

# -- What is done ---------------------------------------------------------------

DOING = """
filter, filtering, drop, remove, discard, exclude, clean, ignore, leave out, keep only, select,
    prune, cut, throw away
ignore, skip, omit, leave out, neglect, drop, without, off, disable, no longer
select, choose, pick, selection, chosen, prefer, best of, top
add, append, extra, additional, next to, include, insert, introduce, attach, concatenate, extend
concatenate, append, join, next to, together, stack, pack, side by side
attach, paste, prepend, put before, in front, prefix, header
replace, substitute, instead, in place of, swap, exchange, switch, convert
convert, transform, translate, rewrite, map, turn into, encode, express
translate, translation, language, german, french, back translation, english, multilingual
split, divide, decompose, break down, separate, partition, sub, parts, plan
plan, planning, decompose, outline, schedule, strategy, steps
merge, combine, unite, join, fuse, together, blend
repeat, again, twice, once more, retry, second, duplicate, redo, another, several times
retry, second try, once more, again, repair, correct, attempt, try again, second chance
reset, restart, start over, clear, reinitialise, fresh, anew, restore, revert
stuck, idle, stagnation, plateau, no progress, stall, without progress, local optimum
repair, fix, correct, mend, recover, heal, debug
correct, correction, adjust, compensate, debias, fix, calibrate
bias, biased, correction, skew, debias, unfair, offset
compare, comparison, against, contrast, versus, pairwise, relative, difference
pairwise, pair, ranking, rank, bpr, compare, preference, triplet
rank, ranking, order, sort, list, top, score, relevance
recommend, recommendation, list, suggest, ranking, items, users
learn, train, fit, adapt, tune, teach, practise
adapt, adaptive, adjust, online, dynamic, automatic, self tuning, learned, adaptation
continue, resume, warm start, carry on, from the previous, last checkpoint, further, keep going,
    previous
finish, stop, end, exit, halt, terminate, quit, early, break off, truncate
exit, early, leave, stop, skip, confident, halt
wait, delay, lag, postpone, late, later, patience, sleep, asynchronous
overlap, concurrent, asynchronous, async, double buffered, pipeline, parallel, simultaneous, hide,
    prefetch
load, loading, read, fetch, copy, copies, transfer, access, loads, io
access, read, load, memory, bandwidth, loads, fetch, coalesced
copy, clone, duplicate, replicate, copies, mirror
store, save, keep, cache, remember, record, write, memory, hold
forget, discard, expire, decay, half life, old, drop, fade
search, look for, find, explore, hunt, seek, scan
explore, search, try, vary, wander, diversify
diverse, diversity, different, variety, less alike, vary, spread out, mixed, diversify
reduce, lower, shrink, cut, compress, simplify, decrease, fewer, less
compress, compact, smaller, reduce, prune, quantize, factorise, condense, squeeze
factorise, factorize, low rank, decompose, svd, rank, bottleneck
prune, pruning, remove, sparse, sparsity, cut, zero out, drop, weights by size
sparse, sparsity, zeros, prune, masked, structured, 2 of 4
expand, enlarge, extend, widen, grow, stretch, scale up, increase, longer
move, shift, relocate, transfer, migrate, place, displace
swap, exchange, switch, interchange, permute, trade
destroy, ruin, remove, delete, break, tear down, demolish, repair, recreate
insert, put in, embed, place, inject, add
inject, add, noise, perturb, insert, corrupt
corrupt, noise, mask, adversarial, perturb, degrade, distort
adversarial, attack, perturb, noise, robust, worst case
mask, hide, cover, block, ignore, exclude, occlude
show, display, reveal, give, tell, provide, present, print
tell, say, inform, instruct, ask, prompt, explain, message, feedback, give
ask, question, query, request, prompt, tell, demand
answer, reply, respond, response, solution, output, completion, result, completions
write, produce, generate, compose, output, emit
execute, execution, run, interpreter, python, code, call, program, compute, calculator, tool
compute, calculate, computation, arithmetic, work out, evaluate, computing
check, verify, verification, critic, validate, test, inspect, examine, confirm, audit, tests, review
count, number, how many, amount, total, quantity
measure, metric, evaluate, score, gauge, benchmark, quantify
weigh, weight, weighted, weights, importance, emphasise, coefficient, ratio, balance, focus
emphasise, emphasize, focus, focal, weight, stress, highlight, attention, prioritise, up weight
balance, ratio, proportion, trade off, weighting, weighted, mix, 1 to 1
normalise, rescale, scale, standardise, divide by, unit, z score
round, rounding, precision, truncate, quantize, discretize, digits
truncate, cut, cut off, clip, limit, stop, max, shorten, ran out
run out, out of space, truncate, too long, limit, exceed, overflow, too short, truncated
spell, digit, letter, character, spelled out, number format
imitate, mimic, copy, teacher, student, distil, follow
guide, lead, steer, direct, help, condition
freeze, fix, lock, hold, keep, unchanged, static
initialise, initialize, init, start, seed, begin, starting, warm start
perturb, disturb, noise, jitter, shake, randomise, kick, mutate
randomise, randomize, shuffle, random, permute, jitter
shuffle, order, permute, mix, random order
mix, blend, mixture, combine, interleave, half and half
sort, order, arrange, rank, group, swizzle, reorder
reorder, order, swizzle, permute, rearrange, sort, sequence
unroll, loop, expand, inline, iterate
inline, fuse, merge, unroll, embed
fuse, fused, merge, epilogue, combine, join, kernel, in one pass
connect, join, link, attach, edge, bond, joined, virtual
share, tie, common, joint, reuse
penalise, penalize, punish, cost, tax, penalty, squared, charge, discourage
encourage, reward, bonus, promote, favour, boost
accept, allow, permit, tolerate, admit, agree
reject, refuse, deny, discard, decline, rejection
prevent, avoid, stop, block, guard, forbid, protect
protect, guard, keep, preserve, retain, save, outlier, exclude
limit, restrict, cap, bound, constrain, maximum, at most, ceiling
relax, loosen, allow, soften, weaken, ease
tighten, strict, stricter, constrain, narrow, harder
strengthen, increase, raise, boost, heavier, harder, stronger
speed up, faster, accelerate, quick, efficient, bitset, bitsets, optimise, vectorise, cache
simplify, simple, plain, reduce, fewer, remove, linear
complicate, complex, nonlinear, rich, deep, mlp
approximate, approximation, estimate, sample, sampled, rough, cheap, fast
predict, forecast, guess, estimate, anticipate, infer, residual
detect, find, recognise, notice, spot, flag
annotate, annotation, label, annotations, annotators, mark, tag, human
"""

# -- What it is done to ---------------------------------------------------------

THINGS = """
people, person, users, user, customers, humans, annotators, players, visitors
inactive, fewer than, few interactions, cold, rare, dead, seldom, unused
active, frequent, busy, popular, heavy users
popular, popularity, frequent, common, head items, well known
rare, infrequent, uncommon, tail, minority, seldom, unpopular
item, items, product, products, article, object, thing, goods
click, clicks, interaction, interactions, view, purchase, event, events, behaviour, behavior,
    activity
interaction, interactions, cross, dot product, product, combination, between
nonlinear, mlp, nonlinearity, neural, deep, kernel, activation, dot product, instead of linear
linear, dot product, inner product, affine, straight, bilinear
history, sequence, last, past, previous, clicks, events, log
time, date, age, recency, since, elapsed, half life, old, hour
old, older, past, previous, ancient, stale, former, last month, half life
new, recent, fresh, latest, newest, current
objective, loss, criterion, target, goal, cost function, softmax, cross entropy, bpr
cross entropy, softmax, log loss, nll, likelihood, classification loss
likelihood, probability, logprob, confidence, perplexity, weighted by likelihood
confidence, confident, certain, sure, probability, threshold, uncertain
negative, negatives, contrast, wrong, distractor, false
positive, true, right, correct, relevant
category, class, genre, kind, type, group, label, hierarchy
hierarchy, hierarchical, parent, tree, nested, levels, coarse to fine
feature, features, input, variable, signal, column, attribute, descriptor, fingerprint
fingerprint, descriptor, ecfp, hash, signature, features
geometry, geometric, bond, length, lengths, angle, angles, distance, distances, coordinates, 3d,
    shape, position
atom, atoms, node, nodes, particle, vertex
molecule, molecular, compound, chemical, protein, graph
graph, gnn, message, node, edge, network, message passing
layers in the gnn, message passing, hops, rounds
round, rounds, iteration, iterations, layers, hops, passes, steps, repetitions
neighbourhood, neighborhood, neighbours, radius, cutoff, vicinity, surroundings, local, near
radius, cutoff, range, reach, distance, neighbourhood, cut off
global, virtual, everything, all, whole, overall, universal, fully connected
property, properties, task, tasks, assay, target, targets, multi task, objective, quantity
several at once, multi task, joint, auxiliary, together, at once
task, job, problem, work, assignment, question, activity
job, jobs, task, operation, order, work, shift
machine, machines, resource, worker, station, bottleneck
plan, schedule, tour, timetable, solution, roster
feasible, feasibility, conflict, valid, constraint, constraints, legal, violation
conflict, clash, collision, overlap, violation, feasibility
late, lateness, tardiness, delay, deadline, due, overdue
deadline, due date, time limit, late, timeout
operator, operators, move, action, heuristic, mutation, neighbourhood
action, actions, move, decision, command, step
dispatching, dispatch, rule, greedy, first, shortest, priority
greedy, myopic, best first, simple, heuristic, shortest
elite, best, good solutions, memory, archive, pool, hall of fame, path relinking
archive, pool, memory, population, collection, set
physics, physical, force, energy, forces, simulation, baseline, mechanical
baseline, reference, simple, cheap, residual, prior, naive
residual, difference, delta, error, correction, remainder, skip
delta, difference, change, residual, increment, update
error, mistake, wrong, fault, failure, miss, bug
wrong, incorrect, false, mistake, error, bad
knowledge, facts, formulas, background, information, hints, context, reference
background, context, knowledge, information, facts, setting
context, prompt, surroundings, input, window, in front
prompt, instruction, instructions, system message, message, template, wording, in front, question
system message, system prompt, instruction, persona, role
hint, clue, help, tip, guidance, formulas
code, python, program, script, software, execution, interpreter
tool, tools, calculator, python, search engine, function, api
proof, derivation, argument, reasoning, logic
step, steps, stage, phase, step by step, each step
verification, critic, check, verifier, test, judge
output, outputs, answer, completion, generation, tokens, response, text, completions
space, room, capacity, memory, length, budget, tokens
capacity, size, width, parameters, hidden, large, power, expressive
encoder, tower, backbone, network, model, bert, embedding, representation
tower, encoder, branch, side, two tower
representation, embedding, vector, feature, hidden state, encoding
vector, vectors, embedding, representation, embeddings, hidden
bert, roberta, distilbert, encoder, pretrained, electra, deberta
subword, character, char, n gram, n grams, bpe, word piece, token, letters
letter, letters, character, characters, case, char, alphabet
case, lowercase, uppercase, capital, folding, lower case, casing
stop words, function words, common words, frequent words, the, stopwords
text, document, sentence, passage, string, words, texts
sentence, text, phrase, line, utterance
language, english, german, multilingual, translation, text
title, heading, name, headline, subject, header
sum, total, add, mean, readout, aggregate, max
pooling, readout, aggregate, mean, max, sum, attention, cls, average, summary
readout, pooling, output, aggregation, head
table, tables, matrix, embedding, lookup, list, sparse
cache, locality, l2, memory, buffer, shared memory, reuse
locality, cache, nearby, block order, layout, contiguous
buffer, buffered, queue, memory, store, staging
thread, threads, warp, warps, worker, lanes, parallel
block, blocks, tile, tiles, chunk, group, unit, patch
tile, tiles, block, chunk, patch, tiling, blocking
register, registers, spill, local memory, variable
reduction, reduce, sum, split k, accumulate, inner dimension, aggregate
matmul, matrix multiplication, gemm, product, multiply, dense
layout, memory order, transpose, row major, channels last, stride, order, format
transpose, flip, layout, column major, permute
loop, loops, iteration, unroll, inner
kernel, gpu, cuda, triton, tile, block
bounds, boundary, edge, limit, border, checks, padding
test split, split, holdout, scaffold, validation, generalisation
scaffold, split, structure, skeleton, template
fold, folds, cross validation, split, partition
sample, samples, draw, instance, shot, candidate, generation, vote
consistency, agree, agreement, consistent, same answer, compare, vote
similar, similarity, alike, nearest, close, like, related, resemble
size, magnitude, absolute value, amount, norm, large
magnitude, size, norm, small weights, absolute
gate, gates, gating, lambda, scale, sigmoid, switch
residual, skip, shortcut, lambda, x0, resid, identity
bottleneck, critical, constraint, narrow, slowest
critical path, longest, bottleneck, key
rate, speed, frequency, pace, lr
noise, noisy, random, disagree, disagreed, uncertain, dirty, label noise, annotators
dirty, noisy, wrong labels, unclean, disagree, mislabelled
clean, filter, correct, dedup, tidy, remove noise
quality, good, clean, high, curated, best
duplicate, same, repeat, copy, identical, near identical
long tail, rare, tail, infrequent
value, number, figure, constant, parameter, quantity
parameter, weight, weights, coefficient, variable, setting
setting, option, configuration, hyperparameter, knob, parameter
quantity, amount, count, number, size, volume
dose, amount, strength, scale, level
level, degree, strength, height, amount, hierarchy
edge, link, connection, bond, boundary
structure, architecture, layout, design, topology, form
method, algorithm, approach, technique, way, procedure
experiment, run, trial, test, attempt
budget, limit, time, cost, allowance, minutes, money
money, cost, price, dollar, cheap, expensive
resource, memory, compute, time, machine, gpu
hardware, gpu, cpu, device, chip, accelerator, machine
game, environment, simulator, world, level
robot, arm, joint, torque, motor, control
sound, audio, speech, music, voice, noise
video, frames, clip, motion, temporal
map, location, place, region, geography, zip code, city
weather, temperature, rain, wind, station
price, cost, amount, money, revenue, sales
date, time, day, week, month, season, calendar
sensor, measurement, signal, reading, channel
"""

# -- How ------------------------------------------------------------------------

HOW = """
gradual, gradually, slowly, smooth, decay, step by step, linear, ramp, half life, annealed,
    progressive
sudden, abrupt, step, jump, at once, sharp
early, earlier, beginning, first, soon, start
late, later, end, last, final, afterwards
often, frequently, every, frequency, each, regularly
rarely, seldom, less often, every, interval
once, one time, single, beforehand, one shot
always, constantly, every time, throughout, all
never, no, not, without, off
deep, deeper, depth, layers, stacked, levels
flat, shallow, constant, level, plateau
wide, wider, broad, width, channels, larger
long, longer, extended, max tokens, more, length
short, shorter, brief, concise, compact, limit
thick, thin, narrow, slim, wide
heavy, heavier, strong, squared, steep, more, harsh
light, lighter, small, weak, cheap, mini
hard, harder, difficult, strict, severe, tough
easy, easier, simple, trivial, lenient
rough, coarse, crude, approximate, low resolution
fine, precise, detailed, high resolution, small
exact, precise, accurate, strict, full, correct
fuzzy, soft, approximate, vague, smooth
local, nearby, neighbour, window, near
distant, far, global, remote, long range
dense, full, fully connected, complete, all
even, uniform, balanced, equal, flat
uneven, skewed, imbalanced, biased
automatic, learned, adaptive, self, by itself
manual, hand, by hand, fixed, hard coded
cheap, fast, simple, light, small, distil
expensive, slow, costly, big, heavy
robust, stable, outlier, noise, resistant, safe
fragile, unstable, sensitive, diverge
confident, certain, sure, sharp, low entropy
uncertain, unsure, entropy, doubt, variance
private, secret, hidden, anonymous
related, similar, relevant, linked
irrelevant, unrelated, noise, useless, distractor
useless, dead, wasted, redundant, unused, zero gain
redundant, duplicate, unnecessary, superfluous, extra
important, main, key, critical, useful
structured, pattern, block, 2 of 4, regular
independent, separate, own, apart, single
dependent, conditional, linked, joint, per
parallel, concurrent, simultaneous, side by side, at once, together
sequential, serial, one by one, in order, step by step
asynchronous, async, overlapped, background, non blocking
symmetric, mirror, balanced, both
random, randomly, arbitrary, chance, at random
deterministic, fixed, same, greedy, exact
previous, last, former, earlier, old
equal, same, uniform, tied, identical
different, another, other, alternative, separate
less random, low temperature, deterministic, greedy, temperature
second, twice, two, double, again
"""

# -- Experiments themselves -----------------------------------------------------

RESEARCH = """
hardest, hard, difficult, difficulty, order, last, easy, easiest, difficulty order
ordering, order, first, last, before, after, sequence, sorted, shuffle, shuffled
edit, edits, mutate, mutation, change, modify, sentence, rewrite, revise, small change
structured, numbered, steps, format, json, schema, list, xml, table, fields
json, schema, structured, braces, fields, format, yaml, xml
immediately, from the start, at once, directly, right away, beginning, straight
completions, samples, group, rollouts, generations, answers, solutions, candidates
important, weight, first, sorted, order, often, key, priority
priority, prioritise, prioritize, important, order, first, sorted
upweight, weighted, weight, times, emphasise, heavier, boost
unnormalised, unnormalized, no division, raw, without scaling, not divided
division, divide, normalise, normalize, ratio, deviation
pad, padded, padding, multiple, round up, align, aligned, divisible
alignment, aligned, multiple of, divisible, power of two, pad
qkv, query, key, value, attention, q, k, v, projections
attention matrices, qkv, projections, q and v
alone, only, just, solely, single, exclusively
stochastic depth, layer drop, skip layers, drop layers, random layers, skip every
elementwise, per channel, per head, per token, per layer, each
warm, warmup, warming up, ramp, heat
longer, more steps, extended, twice as many, epochs, further
passes, epochs, rounds, times, repeats
markup, template, tags, format, special tokens, html
concise, short, shortest, brief, compact, terse
rationale, rationales, solution, solutions, reasoning, working, explanation, steps
working, steps, solution, derivation, calculation
wrong, incorrect, negative, failed, failures, mistakes, errors
mistakes, failures, errors, wrong, bugs, failed
right, correct, true, solved, success
asymmetric, one sided, above only, clip higher, from above, unequal
above, upper, higher, over, exceed, clip higher
below, under, lower, less than, threshold
verbosity, surplus, long, tokens, wordy, length, longer
surplus, extra, excess, more than needed, superfluous
signal, gradient, information, agree, zero variance
no signal, all agree, same answer, uninformative, degenerate
immediate, early, soon, first
evaluate, evaluating, eval, test, score, questions, validation
validation, val, eval, questions, held out, test set
larger evaluation, questions, more samples, less noise, luck
luck, noise, variance, seed, chance
noise of the evaluation, variance, more questions, repeated
zero shot, no examples, without examples, rules alone, instructions only
bootstrap, random search, sampled, resample, demos
selection, pick, parents, pareto, choose, tournament, best
diversity preserving, pareto, niche, variety, novelty
parents, parent, candidates, pool, selection, crossover
frequency, how often, counts, inverse frequency, rare, weighted
rare words, rare tokens, inverse frequency, tail, infrequent
weights of tokens, token weighting, weighted tokens, loss weights
heads, head dimension, number of heads, smaller heads, head size
smaller heads, head dimension, more heads
adam, plain adam, adamw, standard optimiser, ordinary
ordinary, plain, standard, vanilla, simple, usual, default
scheme, encoding, method, kind, type, style
positional, position, rotary, alibi, sinusoidal, learned positions, nope
end of training, last tenth, final, late, warmdown, cooldown
tenth, percent, fraction, share, portion, 10
half, 50, middle, double
middle, central, mid, inner, intermediate
outer, edge, border, first and last, boundary
tables, embeddings, value embeddings, lookup
extra, additional, surplus, auxiliary, more
batch ramp, 32k, 64k, grow, from the start, after step
ramp, gradual, grow, increase, warm, schedule, from to
gated, gate, gates, sigmoid, swiglu
branch, branches, residual, path, tower
branches, residual, skip, depth, 1 sqrt
layer reuse, reuse, twice, shared, looped, recurrent
precision of matmul, fp8, int8, bf16, lower precision
documents, document, boundaries, packed, intra document
attend, attention, see, across, mask
across, between, over, cross, boundaries
gradients, gradient, noise, norm, update
capacity, parameters, bigger, hidden, wide
backward, gradient, recompute, backprop
forward, pass, inference, activations
activations, hidden states, outputs, features
inference, serving, generation, test time, decoding, evaluation
decoding, sampling, generation, greedy, beam, inference
harmful, hurts, worse, negative, damage
helpful, improves, better, gain
reproduce, replicate, seed, repeat, again, confirm
combine ideas, together, stack, both, merged
simplify the code, delete, remove, fewer lines, dead code
rollback, revert, undo, back to, restore, take out
loss curve, training loss, curve, plateau, progress
overfit, overfitting, memorise, too many epochs, train val gap, duplicates
underfit, too small, low capacity, too few steps, not converged
saturate, flat, plateau, no gain, diminishing, converged
diverge, explode, nan, spike, unstable, blow up
out of memory, oom, vram, too big, memory, killed
timeout, too slow, over budget, killed, time limit
evaluation leak, leak, contamination, cheating, future, target encoding
cheating, hack, exploit, gaming, trivial solution, shortcut
blob, region, component, cluster, object
object, region, instance, item, component
region, area, zone, patch, part, box
zone, area, region, city, district, place
background, context, negative, rest, surroundings
foreground, object, positive, rare class, region
contrast, intensity, brightness, window, range
intensity, brightness, value, amplitude, strength, units
raw, unprocessed, original, plain, html, unfiltered
simplified, summary, tree, reduced, cleaned, compact
dangerous, unsafe, risky, never, forbidden, harmful
safe, safety, guard, forbid, refuse, check
unsure, unknown, uncertain, low confidence, doubt, abstain
special, apart, separate, exceptional, own treatment
treat, handle, process, deal with, apart
small llm, cheap model, mini, weaker model, distilled, haiku
big llm, large model, strong model, teacher, opus
route, dispatch, assign, direct, cheap, choose the model
budget of steps, step limit, give up, max turns, attempts
turn, turns, step, round, message, exchange
site, page, web, url, browser, html
visual, screenshot, image, picture, vision, pixels
html, dom, page, markup, accessibility, web
button, click, press, action, element
scroll, type, click, action, navigate
history of actions, last actions, past steps, memory
stage, stages, phase, coarse, fine, cascade, step, two stage
two stage, cascade, pipeline, first then, coarse then fine
supervision, labels, loss, deep, auxiliary
component analysis, pca, whitening, svd
frequency of tokens, unigram, counts, prior, how often
prior, bias, unigram, base rate, initial belief
neighbouring token, previous token, shift, smear, bigram
scaling, scale, temperature, multiply, divide, factor
scaling law, compute, model size, tokens
factor, multiplier, ratio, times, scale, x
quadratic, squared, sqrt, power, square root, second order, polynomial
roots, sqrt, square root, power
outputs, activations, residual, projections, init scale
ramp at the start, warmup, linear, first steps
"""

# -- Machines, programs, places, time ---------------------------------------------

WORLD = """
draw anew, drawn anew, resample, randomise, randomize, vary, every episode, random
randomisation, randomization, drawn anew, vary, random, domain, friction, mass
disturbance, disturbances, push, perturb, shake, noise, kick
smooth, smoothness, jerky, jerk, wobble, steady, abrupt, movements
movement, movements, motion, action, walk, gait, joint
motor, motors, torque, actuator, force, power
terrain, ground, height map, stairs, slope, surface, floor
robot, robots, agent, simulation, simulator, parallel
simulation, simulations, simulator, environments, robots, worlds, physics
latency, delay, delayed, lag, slow, response, late
horizon, episode, episodes, length, seconds, steps, discount, far
episode, episodes, rollout, trajectory, run, trial
privileged, teacher, hidden information, oracle, sees
observation, observations, input, sensor, sees, state
symmetry, mirror, left and right, reflect, invariant
invariant, invariance, symmetry, rotation, equivariant, augmentation
debate, discuss, argue, several agents, two models, talk, conversation
agent, agents, model, models, assistant, actor, policy, robot
identifier, identifiers, variable, variables, names, rename, obfuscate
rename, renamed, obfuscate, names, substitute, anonymise
syntax, parse, grammar, valid, compile, well formed, constrained
grammar, syntax, constrained, rules, structure, parse
parse, parsing, syntax, read, extract, valid
repository, repo, files, project, imports, codebase, modules
file, files, document, module, whole file, diff
diff, patch, edit, change, whole file, edit format
fill in, infill, infilling, middle, complete, gap, blank
type hints, annotations, types, docstring, comments
docstring, comment, documentation, signature, description
commit, commits, git, history, version, messages
bug, bugs, error, mistakes, failure, defect, lessons
lesson, lessons, experience, learned, memory, insight, notes
experience, lessons, memory, past, earlier, history
recent, last, latest, new, years, months, only the last, newest
year, years, month, months, date, recent, old, age
building, buildings, house, houses, property, flat
spatial, location, neighbourhood, distance, distances, district, map, station, geographic
district, region, area, group, location
grouped, groups, by district, outer folds, group
winsorise, winsorize, cap, clip, top percent, outliers, extremes, percentile
extreme, extremes, outliers, top percent, tail, cap
shape, monotone, constraint, form, curve
nlp, text, sentence, words, language, advert
advert, advertisement, description, text, title
estimators, trees, rounds, models
knn, nearest neighbours, neighbours, similar cases
corpus, data, dataset, text, documents
sees, see, passes, reads, epoch, epochs
auxiliary task, second head, side task, multi task, predicts
causal, autoregressive, left to right, next token, masked
masked, mask, cloze, bert, bidirectional, hide
thin, thinner, narrow, width, smaller dimension
thick, wide, wider, fewer layers
trust region, clip, ratio, kl, step limit
privacy, secret, hidden, anonymise
server, client, network, request, http
schedule of temperature, temperature, anneal, cooling
human, people, person, annotator, expert, user
expert, experts, specialist, teacher, human
child, children, student, offspring, descendant
medical, clinical, patient, scan, image
money, reward, profit, revenue, price
fraud, anomaly, outlier, rare, detection
anomaly, outlier, unusual, abnormal, novelty
translation quality, bleu, score, metric
speaker, voice, speech, audio
pitch, tone, frequency, formant, spectrum
spectrum, spectral, frequency, fourier, fft, wavelet
fourier, fft, frequency, sine, spectral, periodic
periodic, seasonal, cycle, sine, fourier, calendar
equation, formula, symbolic, expression, algebra
physics informed, equation, constraint, residual, conservation
particle, atoms, molecules, beads
cell, cells, grid, mesh, voxel
grid, mesh, lattice, cells, raster
camera, image, lens, view, picture
lidar, point cloud, 3d, depth, points
point, points, cloud, sample, dot
traffic, cars, vehicles, road, flow
stock, market, price, returns, trading
session, visit, user, sequence, clicks
query, search, question, keyword, request
click through, ctr, clicks, response, conversion
"""

TABLES = (COMMON, DOING, THINGS, HOW, RESEARCH, WORLD)
