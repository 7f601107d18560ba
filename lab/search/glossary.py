"""What terms of the field are, in plain words: whoever forgets a term says what it does.

    term, other term: what it is or does, in words that people use

A term leads to each word that explains it, and each of those words to the term, but not one of the
words to another. Words that say nothing by themselves (`vocabulary.QUIET`) are left out.
"""

LOSSES = """
dice, jaccard, iou: overlap of regions, segmentation mask agreement, set based objective
focal loss, focal: hard examples emphasised, easy ones count less, imbalance
cross entropy, log loss, nll: classification objective, likelihood of the right class, softmax
hinge, margin: distance to the boundary, separation, gap between right and wrong
triplet, contrastive, infonce: pull similar together, push apart, anchor, positive, negative pairs
huber, mae, smooth l1: robust to outliers, absolute error, less sensitive to extremes
mse, rmse: squared error, large mistakes count more, regression
quantile, pinball: predict intervals, uncertainty, percentiles, asymmetric
z loss: penalise large logits, partition function, normaliser, keep logits small, stability
label smoothing: soft targets, less confident, one hot softened, regularise
kl: divergence between distributions, stay near the reference, anchor, penalty, trust, drift
entropy: randomness of the policy, exploration, uncertainty, confident, spread
auxiliary loss, auxiliary, deep supervision: extra loss, side task, intermediate layers, additional
    objective, several scales, lower resolution, multi task
perceptual, lpips, vgg: features of a network, looks alike, visual similarity
adversarial, gan: discriminator, fool, generator, attack, worst case
distillation, distil, teacher, student: imitate a bigger model, soft labels, knowledge transfer,
    compress, logits of another network
mtp, multi token prediction: predict several words ahead, next tokens
masking, mlm, denoising, inpainting: hide parts and reconstruct, fill in, self supervised,
    unlabelled, pretraining
bce, sigmoid: independent classes, multi label, one versus all
ranking, bpr, listwise: order of pairs, preference, which is better
"""

OPTIMISING = """
warmup: learning rate rises at the start, ramp, slowly begin, early steps, stability
warmdown, cooldown, decay: learning rate falls at the end, ramp down, anneal, final phase, tail
cosine: smooth decay, half wave, curve of the schedule
polynomial, poly, sqrt, quadratic, exponential: shape of the schedule, power, curve
momentum: past gradients, velocity, heavy ball, smooth direction, averaging gradients, inertia
nesterov: look ahead momentum, accelerated
beta1: momentum, first moment, gradient average, memory of directions
beta2: second moment, variance of gradients, squared average, memory of sizes, adaptivity
epsilon, eps: small constant in the denominator, division, numerical stability
weight decay, wd, l2: shrink weights, regularise, penalise large parameters, pull to zero
gradient clipping, clip: limit the norm, large updates, spikes, explode, stability, cap
batch size, batch: examples per step, tokens per update, noise of gradient, minibatch, more updates
gradient accumulation: several forward passes per update, virtual batch, memory, micro batches
muon, newton schulz: orthogonalise, spectral, whiten the update, polar, matrices
adam, adamw: adaptive step sizes, per parameter, moments
sparse adam, lazy: only rows used, rarely seen embeddings, lazy updates
adagrad: sparse features, accumulated squares, per coordinate, embeddings
ema, swa, average of the weights: smooth parameters, averaged checkpoints, stable model, moving
    average,
    tail
lookahead, lion, sophia, shampoo, soap: other optimiser, alternative to adam
sam: flat minima, sharpness, perturb weights
schedule: change over time, plan of the learning rate, phases
restart: cyclic, start again, jump back, escape
early stopping, patience: stop when validation gets worse, no progress, rounds, overfitting
epochs: passes over the data, longer training, repeats, more steps, duration
steps: updates, longer run, training time, iterations, duration
init, initialization: starting weights, distribution at the start, std, gain, scale, random
init scale: outputs smaller or larger at the start, variance, gain, std
zero init: start at nothing, identity at start, output projections
learning rate, lr: step size, speed of learning, how fast, peak
layerwise, llrd: different rates per layer, deeper layers slower, groups
freezing, freeze: only part is trained, fixed layers, update only some
"""

NETWORKS = """
gelu, relu, silu, swiglu, squared relu, swish, tanh: activation, nonlinearity, gating
layernorm, rmsnorm, batchnorm, groupnorm: normalise activations, scale, statistics, stabilise
qk norm: normalise queries and keys, attention logits, stability
softcap, soft cap: squash logits, tanh, limit, bounded, large logits
dropout: randomly zero units, regularise, noise, overfit
residual, skip, x0: shortcut, add the input, pass around, identity, stream
gate, gating: learned switch, multiply by sigmoid, control flow, scalar on a branch
attention: look at other positions, mixing tokens, heads, queries, keys
multi query attention, mqa, gqa: share keys and values, fewer kv heads, smaller cache
sliding window, window: local attention, limited span, short range, context seen
rotary, rope: positions, positional encoding, rotate, base, theta, frequency
alibi, nope, positional: position, order of tokens, without positions
smear, token shift: previous token mixed in, neighbour, shift by one, short convolution
bigram, ngram: pairs of tokens, previous words, hash table, counts
unigram, prior: token frequency, output bias, how often words occur, counts
embedding, wte: table of tokens, lookup, input vectors, word vectors
lm head, unembedding, head: output layer, logits, vocabulary projection, final layer, classifier
weight tying, tied: same matrix in and out, share embedding and output
mlp, feed forward, ffn: hidden layer, expansion, pointwise, width of block
depth: number of layers, blocks, deeper, shallower
width, d model, dim: hidden size, channels, wider, narrower, bigger model
heads: number of attention heads, head size, split of the width
moe: experts, router, sparse, conditional computation
convolution, conv: filter, local, kernel, translation, stride
deconvolution, upsampling, bilinear, transposed: enlarge, increase resolution, decoder, interpolate
unet, u net: encoder decoder, levels, skips, segmentation
pooling, pool: aggregate, summarise, downsample, average or max, readout
squeeze excite: channel attention, reweight channels
patch, tile, crop: part of the image, piece, input volume, region
stem: first layers, early downsampling
backbone, resnet, vit, bert, roberta: pretrained encoder, network, architecture, base
distilbert, tinybert, mobilenet: smaller faster encoder, light
lora, adapter: low rank update, few parameters, fine tuning cheaply, frozen base
full fine tuning: all weights, every parameter, whole network trained
rnn, lstm, gru: recurrent, sequential, hidden state, memory
state space, mamba, ssm: linear recurrence, long sequences
gnn, message passing: graph, neighbours, edges, hops, rounds
virtual node: global, connected to all, shortcut
cascade, two stage, coarse to fine: first rough then refine, stages, pipeline, second model
ensemble, vote, committee: several models, combine predictions, average
early exit: stop at a lower layer, adaptive computation, confident
autoencoder, vae, latent: compress, bottleneck, reconstruct
tokenizer, bpe: split words, vocabulary, subwords, pieces
"""

DATA = """
augmentation: artificial variety, transformed copies, perturb the input, more data
elastic, deformation, warp, distort: bend, stretch, geometric augmentation, augment
rotation, flip, crop, translate: geometric, mirrored, shifted, augment
color jitter, brightness, gamma: intensity, contrast, photometric
windowing, hounsfield, clip intensities: intensity range, contrast, scan, preprocessing
mixup, cutmix: blend examples, pairs, interpolate
cutout, erasing: hide a region, squares, occlusion
back translation, paraphrase: reword, other language, synthetic text, augmentation
oversampling, class weights, scale pos weight, foreground: imbalance, rare class, balance, sampling
curriculum: easy first, order by difficulty, short before long, increasing length, gradually harder,
    first, last
packing: concatenate examples, fill the sequence, no padding, one row
bucketing: similar lengths together, less padding, group by length
deduplicate, dedup: remove copies, near identical, repeated
filtering: remove bad examples, clean, quality, noisy, select
pseudo labels, self training: own predictions as labels, unlabelled, semi supervised
synthetic: generated, artificial, made by a model
normalization: zero mean, unit variance, scale inputs, statistics
imputation: missing values, fill gaps
one hot, target encoding, ordinal: categories as numbers, encode categorical
tf idf, sublinear: rare words count more, word frequency, weighting of terms
hashing, hash: buckets, collisions, compact table, vocabulary
n grams, char grams: subword, word pieces, sequences of letters
stop words: frequent function words, common words, list of words
lowercase: case folding, capitals, normalise text
cross validation, folds: several splits, estimate, repeated
scaffold split, walk forward, holdout: harder test, generalisation, time, structure
context length, max length, max tokens: longer inputs, truncated, room for text
"""

POLICIES = """
grpo, ppo, reinforce: policy gradient, reinforcement, rollouts
advantage, baseline: how much better than expected, relative reward, centre
gae, lambda: bias and variance of returns, bootstrapping, horizon
n step: bootstrapped after several steps, returns, shorter rollouts, horizon, critic
discount, gamma: future counts less, horizon, far sighted
group size, group: samples per prompt, rollouts, completions compared
kl penalty: stay close, reference policy, anchor, original model, drift
clip range: limit the change of the policy, trust region, ratio
reward shaping, partial credit: denser reward, intermediate, partly right, hints
sparse reward: only at the end, all or nothing, complete success
length penalty: long answers cost, brevity, shorter outputs
format reward: answer in the right form, boxed, tags
temperature: randomness of sampling, diversity, sharper, hotter, colder, scale of logits, divided
temperature scaling: calibrate, divide logits, confidence, evaluation
greedy: no randomness, most likely, deterministic
top p, top k, nucleus: cut unlikely tokens, restrict sampling
self consistency, majority vote: several samples agree, most frequent answer, consensus
best of n, rerank, judge: choose among candidates, verifier picks, two or more candidates
chain of thought: reasoning before the answer, think, explain, step by step
few shot, demonstrations: worked examples in the prompt, solved cases, in context
system prompt, instruction: rules for the model, wording, role
reflection, self critique, critic: look at own mistakes, revise, feedback after failure, improve
planner, subgoals: hierarchical, high level, divide the task, steps
tool, python, calculator: external help, execute code, call, compute exactly
memory, playbook, notes: remember across tasks, stored experience, learn over time, facts
retries, turns, attempts: try again, more chances, repeat after error
give up, step limit, stop: maximum steps, end earlier, budget, terminate
unknown, abstain, refuse: unsure, not answering, low confidence, do not guess
blacklist, stop list, never press, forbid: dangerous actions, not allowed, safe, block, avoid
router, cascade, cheap model: easy ones to the smaller model, cost, delegate, mixture of models
summarise, summary: shorten, condense, long observation, compress text
accessibility tree, html, dom, screenshot: page representation, observation, what the agent sees,
    visual input, simplified view, markup, raw
trajectory: sequence of actions, episode, history
replay, buffer: past experience, stored transitions, memory
target network, tau: slowly following copy, stability, averaging
frame stack: past observations, motion, history
action repeat, frame skip: same action for several frames, slower control
actor, critic: policy and value, networks
environment, env: simulator, parallel actors, copies
negation, negated, not: opposite, denial, special case
synonym, synonyms: words of the same meaning, other names, aliases
multi hop, two hop: chain of facts, several documents, bridge, composed questions
"""

SEARCHING = """
annealing, simulated annealing: accept worse with a probability, cooling, temperature, escape local
    optimum
kick, perturbation, double bridge: random change to escape, jump, segments, size
tabu, tenure: recent moves forbidden, list, memory
restart: begin again when stuck, stagnation, reset
local search, 2 opt, or opt: small changes, neighbourhood, improve step by step, moves
large neighbourhood search, lns, destroy, ruin: remove a part and rebuild, repair, big moves
path relinking, elite, crossover: combine good solutions, between two, recombine, memory of the best
operator weights, bandit, adaptive: choose moves by success, learn which works, selection
greedy, construction, dispatching: first solution, rule, build, start
bottleneck, critical path: slowest resource, what limits
penalty, lateness: soft constraint, violation cost, objective
candidate list, neighbours: restrict moves to near ones, prune
bitset, lookup table, cache, incremental: faster checks, feasibility tests, quick evaluation
don't look bits: skip unchanged, avoid repeated checks
bayesian optimization: surrogate, suggest, acquisition
grid, sweep: try several values, scan
"""

SYSTEMS = """
tile, block: piece of the matrix, blocking, cache, work per group
shared memory, double buffer, cp async, prefetch: overlap loading with computing, hide latency,
    stage
swizzle: order of blocks, cache locality, bank conflicts
vector loads: wider memory access, several values at once, coalesced
split k: parallel over the reduction, partial sums
unroll: repeat the loop body, fewer branches
fuse, fused, epilogue: combine operations, one pass, fewer launches, merge
compile, jit, cuda graph: less overhead, faster code, launch, optimise
occupancy, warps, threads: parallel work on a processor, per block
quantize, int8, int4, fp8, awq: fewer bits, low precision, smaller weights, compress
bf16, fp16, float32: precision, digits, half, memory
prune, sparsity: remove small weights, zeros, smaller
factorise, low rank: product of two smaller matrices, compress, rank
gradient checkpointing: recompute, save memory, slower
speculative decoding, draft: guess ahead with a small model, verify, faster generation
kv cache, prefix cache: reuse computed keys, memory of the prompt, past tokens
continuous batching: many requests at once, throughput, concurrent
tensor parallel, pipeline, sharding: split the model over devices, several cards
pin, affinity, thread: bind to a core, cpu, own thread
paged: cache in pages, blocks of memory, fragmentation
prefetch, workers, loader: read data ahead, input pipeline, waiting for data
post process, postprocess: clean up the output afterwards, remove small mistakes, rules, false
    positives, blobs, component
component, connected component: region, blob, piece, largest
threshold: cut off, decision boundary, above or below, confidence
cache: keep results, do not compute twice, remember
c, ctypes, cython, numba, rust: native code, faster loop, compiled, another language
"""

TABLES = (LOSSES, OPTIMISING, NETWORKS, DATA, POLICIES, SEARCHING, SYSTEMS)
