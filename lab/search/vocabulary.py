"""Synonyms of the field: one idea a line, its spellings, words that hint at it.

    name: spelling, spelling ~ hint, hint

The name and all spellings before `~` mean the same thing; a word after it only suggests the idea
and counts half. An indented line goes on with the one above. A spelling may be several words, which
a text may part by one or two others ("no lr decay" is "no decay"). Case, plural and ending do not
matter (`words` reduces them), `_`, `-` and `=` separate words, and numbers are compared by
value. To teach the search a term, add it to a line or add a line; nothing is re-indexed. A word may
stand on several lines.
"""

SCHEDULE = """
learning rate: lr, step size, lrs, eta, base lr, peak lr, max lr
warmup: warm up, warming up, ramp up, rampup, linear ramp, lr ramp ~ early steps
warmdown: cooldown, cool down, warm down, lr decay, learning rate decay, decay phase, anneal,
    annealing, wsd, trapezoidal, ramp down, decay lr ~ decay, schedule
constant: fixed, flat schedule, no decay, without decay, no schedule, no anneal, never decay, hold
    constant, no warmdown, no cooldown ~ flat, static, unchanged
cosine: cosine schedule, cosine decay, cosine annealing, half cosine, sgdr
linear schedule: linear decay, linear warmdown, linear anneal ~ linear
schedule: scheduler, lr schedule, annealing ~ cosine, linear, decay, warmdown, warmup, trapezoidal
final learning rate: final lr, final lr frac, min lr, minimum learning rate, lr floor, end lr, min
    lr ratio, lr min, decay to zero ~ floor
restart: warm restart, cyclic, cyclical, one cycle, onecycle
epochs: epoch, ep, n epochs, num epochs, train longer, longer training, more passes, passes over
    the data, max steps, more steps, training steps, train steps, num steps, training duration,
    number of steps, longer run, extend training, shorter training, fewer steps, train for longer,
    more iterations ~ iteration, longer, duration, steps
early stopping: early stop, stop early, patience, best checkpoint
batch size: batch, total batch, global batch, tokens per step, tokens per batch, tokens per update,
    device batch, bs, mini batch, minibatch, microbatch, micro batch, bsz
gradient accumulation: grad accum, accumulation steps, grad acc, accumulate gradients, microbatch ~
    accumulate
batch schedule: batch size schedule, batch ramp, batch warmup, batch size warmup, grow the batch,
    increase batch during training
time budget: budget, wall clock, 5 min, five minutes, minutes ~ time
"""

OPTIMISERS = """
weight decay: wd, l2, l2 regularization, l2 penalty, decoupled decay, weight regularization, decay
    weights, shrink weights ~ regularization, decay
cautious weight decay: cautious wd, cautious mask, cautious update, cautious
regularization: regularize, regularizer, overfitting prevention ~ weight decay, dropout, label
    smoothing, penalty
adam: adamw, adam w, fused adam
muon: normuon, orthogonalized momentum, orthogonal update, turbo muon, muonclip
newton schulz: ns steps, ns iterations, ns5, ns iter, polar express, orthogonalization steps,
    orthogonalize, zeropower, polar ~ ns
beta1: b1, first moment, adam momentum
beta2: b2, second moment, variance decay, rms decay, squared gradient average
betas: adam betas, beta1, beta2 ~ momentum
momentum: nesterov, heavy ball, mu ~ beta1
momentum warmup: momentum schedule, momentum ramp, warm up momentum, start momentum, final
    momentum, momentum cooldown
epsilon: eps, adam eps
gradient clipping: grad clip, clip grad, clip gradient, clipping, max norm, clip grad norm, max
    grad norm, clip the gradient norm, global norm clip ~ clip
gradient norm: grad norm, norm of the gradient, gnorm
gradient noise: noisy gradient, noise scale
second order: shampoo, soap, sophia, kfac, preconditioner, preconditioning, hessian
sgd: plain gradient descent, stochastic gradient descent
lion: signsgd, sign update, sign momentum
adafactor: factored second moment
schedule free: schedulefree, prodigy, dadaptation, d adaptation, learning rate free
lookahead: slow weights
ema: exponential moving average, weight average, weight averaging, averaged weights, polyak, swa,
    stochastic weight averaging, lawa, model soup, tail average, average checkpoints, checkpoint
    averaging, moving average of weights, latest weight average
sam: sharpness aware, sharpness
per group learning rate: layerwise lr, layer wise learning rate, lr multiplier, discriminative lr,
    lr scale, per layer lr, per group lr, llrd, mup, mu p, parametrization, maximal update
matrix learning rate: matrix lr, muon lr, hidden lr
embedding learning rate: embedding lr, embed lr, wte lr, token embedding learning rate
unembedding learning rate: unembedding lr, lm head lr, head lr, output head learning rate
scalar learning rate: scalar lr, scalars lr, gain lr
trust ratio: lamb, lars, layerwise adaptive
gradient centralization: centralize gradients
skip spikes: loss spike, spike, skip bad batches, skip update, instability, unstable, blow up,
    diverge, divergence, explode, nan
"""

ARCHITECTURE = """
feed forward: ffn, mlp, feedforward, fc, feed forward network, position wise network, c fc,
    intermediate
width: dim, d model, hidden size, model dim, n embd, embedding dim, hidden dim, embedding size,
    hidden, channels, model width, wider, narrower, wide, narrow, aspect ratio, aspect
depth: layers, n layer, num layers, blocks, deeper, shallower, deep, shallow, more layers, fewer
    layers, extra layer, number of layers, transformer blocks, stack
hidden ratio: mlp ratio, expansion, expansion factor, ffn multiplier, hidden 4x, mlp hidden, ffn
    hidden, intermediate size, ffn dim, mlp dim, mlp width, wider ffn, ffn width, wider mlp,
    narrower mlp, narrower ffn
model size: parameters, params, param count, larger model, bigger model, smaller model, capacity,
    scale up ~ size
attention: attn, self attention, sdpa
heads: n head, num heads, head count, attention heads, head dim, head size, head dimension
mqa: multi query attention, multi query, gqa, grouped query, grouped query attention, kv heads, n
    kv head, num kv heads, num key value heads, key value heads, fewer kv heads, shared kv, single
    kv head
mla: latent attention, multi head latent attention, low rank kv
sliding window: local attention, short window, window, window size, window pattern, banded
    attention, attention span, sssl, ssssl, windowed attention, long layers, local global,
    attention window
linear attention: gated delta net, deltanet, delta net, rwkv, retnet, mamba, ssm, state space,
    recurrent, hybrid attention
sparse attention: block sparse, strided attention
flash attention: fa2, fa3, flashattention, flash attn, memory efficient attention, flex attention,
    flexattention
rope: rotary, rotary embedding, rotary position, rotary encoding, position embedding, positional
    embedding, positional encoding, position encoding, alibi, nope, no positional, partial rope,
    rotary precompute
rope base: rope theta, theta, rotary base, rotary theta, base frequency, rope frequency, rotary
    frequency, rope base frequency, ntk, yarn, rope scaling
qk norm: qk normalization, query key norm, normalize queries and keys, qknorm, norm q and k
qk scale: attention scale, attention temperature, softmax scale, logit scale, qk gain, sharper
    attention, attention logits
softcap: soft cap, soft capping, logit cap, logit softcap, softcapping, tanh cap, cap logits, logit
    clipping, cap the logits, tanh logits, squash logits, bound the logits ~ logits, tanh, squash
z loss: zloss, logit regularization, log z, logsumexp penalty
norm: rmsnorm, layernorm, layer norm, rms norm, normalization, prenorm, pre norm, postnorm, post
    norm, sandwich norm, peri ln, dyt, dynamic tanh, normalize
activation: relu, relu2, relu squared, squared relu, gelu, silu, swish, swiglu, geglu, glu, gated,
    gated mlp, mish, nonlinearity, reglu, gated linear unit
swiglu: gated mlp, glu, geglu, gated feed forward, gated linear unit, gated ffn
parallel block: parallel attn mlp, parallel attention, attention and mlp in parallel, attn and ffn
    in parallel, parallel layers, parallel residual, gpt j style, palm style ~ parallel
weight tying: tie weights, tied weights, tie embeddings, tied embeddings, tie embedding, shared
    embedding, share embeddings, shared embed unembed, tie input output, tie the head, share the
    head, tie unembedding, untie, untied, tie lm head ~ tie
token embedding: embedding, wte, input embedding, embed, embeddings, lookup table
unembedding: unembed, lm head, output head, head, output embedding, classifier, vocabulary
    projection, logits layer
value embedding: ve, value embeddings, ves, value residual, v residual, value mix, first layer
    values, token values
bigram embedding: bigram, ngram embedding, hash embedding, bigram hash, n gram, engram
residual: skip, skip connection, shortcut, residual stream, resid, resid lambda, residual scale,
    residual scaling, layer scale, layerscale, rezero, residual gain
x0: x0 lambda, x0 skip, embedding skip, embedding residual, skip from the embedding, input skip,
    embedding shortcut, skip to the input
unet: u net, long skip, encoder decoder skips
hyper connections: mhc, mudd, dense connections, denseformer, cross layer connections, attention
    residuals
output projection: c proj, o proj, out proj, wo, w o, proj out, down proj, projection
gate: gating, gated, sigmoid gate, gate channels, attention gate, head gate, learned gate
smear: token shift, shift, previous token mixing, conv, short convolution, causal conv, canon
multi token prediction: mtp, predict several tokens, next n tokens, auxiliary loss, auxiliary head
moe: mixture of experts, experts, expert, router, routing, sparse model, top k experts, a3b, active
    params, active parameters, load balance, load balancing
dropout: drop out, attention dropout, stochastic depth, layer drop, droppath, residual dropout
bias: biases, bias terms, no bias
context length: context, sequence length, seq len, max length, max seq len, block size, longer
    context, max len, ctx, window of context, long context
initialization: init, initial weights, weight init, initialise, initial values, start values, init
    scale, init std, xavier, kaiming, orthogonal init, truncated normal, fan in, starting weights
zero init: init zero, zeros, initialized to zero, init 0, zero initialized, zero initialization
init scale: init std, initial scale, scale of init, standard deviation at initialization, initial
    standard deviation, std
depth scaled init: depth dependent init, scale init by depth, scale initial weights with depth, 1
    sqrt layer, 1 sqrt depth, init with depth, gpt 2 init, residual init scale ~ sqrt
weight sharing: share layers, looped, layer sharing, universal transformer, recurrent depth, shared
    layers, repeat layers, layer looping
backout: subtract, remove mid layer residual
tokenizer: tokeniser, vocab, vocabulary, vocab size, bpe, byte level, bytes, tokenization
exclusive attention: xsa, exclusive self attention
attention sink: sink, register token, null token, bos token, bos
label smoothing: soft targets, smoothed labels, smoothing
loss function: objective, cross entropy, focal loss, loss weighting, loss mask, token weighting ~
    loss
"""

NUMERICS = """
precision: bf16, fp16, float16, bfloat16, fp8, float8, mixed precision, amp, fp32, float32, half
    precision, low precision, tf32, mxfp8, nvfp4, fp4, 8 bit
quantization: quantize, quantized, int8, int4, 4 bit, 8 bit, nf4, qlora, qat, gptq, awq
compile: torch compile, inductor, cuda graphs, max autotune, reduce overhead, jit, fullgraph,
    dynamo
kernel: triton, fused, fusion, custom kernel, fuse, cutlass, kernel fusion
throughput: tok s, tokens per second, tok sec, mfu, speed, faster, slower, slow, fast, speedup,
    step time, utilization
memory: vram, oom, out of memory, peak memory, gpu memory, memory use
gradient checkpointing: activation checkpointing, recompute, rematerialization, remat
data loading: data loader, dataloader, loader, prefetch, workers, num workers, pin memory, input
    pipeline
distributed: ddp, fsdp, zero redundancy, zero1, zero2, zero3, tensor parallel, multi gpu, data
    parallel, sharding, pipeline parallel
seed: random seed, rng, another seed, different seed, seeds, reproducibility, reproduce, replicate,
    rerun
noise: variance, run to run, seed variance, luck, lucky, outlier, fluctuation, within noise
garbage collection: gc, gc freeze, gc collect
assertion: assert, divisible, shape mismatch, shape error
"""

DATA = """
data order: shuffle, shuffling, ordering, order the data, document order, data ordering,
    unshuffled, shuffled
curriculum: curriculum learning, easy to hard, order by difficulty, sort by difficulty, easy first,
    hard first, sorted, sort, difficulty order, hard to easy, from easy to hard, curriculum sort,
    progressive difficulty
difficulty: harder, easier, easy, hard, level, difficulty filter, difficulty filtering, too easy,
    too hard
data mix: mixture, mix, blend, combined data, proportions, data mixture, sampling weights, domain
    weights, combine datasets, upsample, reweight data
data quantity: more data, dataset size, more examples, more samples, number of examples, larger
    dataset, examples, less data, subset of data, fewer examples, traces, expanded dataset,
    additional data
data quality: filter, filtering, clean, cleaning, curated, high quality, verified, verification,
    deduplicate, dedup, decontaminate, verified traces
synthetic data: synthetic, generated data, claude traces, teacher traces, model generated,
    augmented, self generated
augmentation: augment, paraphrase, rephrase, data augmentation
packing: pack, sequence packing, best fit, bfd, padding free, concatenate documents, document
    packing, varlen
document mask: doc mask, intra document, cross document attention, block diagonal mask, document
    boundary, document boundaries
padding: pad, padded
train test split: eval split, validation split, holdout, held out, val set, train split, test set,
    eval set, validation fraction, validation set, hold out ~ eval, evaluation, validation
contamination: leak, leakage, data leak
completion: response, trace, solution, answer, rollout, output, trajectory, generation, transcript
problem: question, task, prompt, item, puzzle
short: shorter, brief, concise, terse, compact, shortest
long: longer, lengthy, longest, verbose, extended
"""

REINFORCEMENT = """
grpo: group relative, group relative policy optimization, rloo, reinforce, dr grpo, gspo, dapo,
    ppo, policy gradient, cispo, drpo, dro
importance sampling: is ratio, importance ratio, importance weight, off policy correction, tis,
    ratio clipping
kl: kl penalty, kl coefficient, kl divergence, beta kl, kl beta, kl loss, reference model, ref
    model, kl regularization
clip range: clip eps, clip ratio, ppo clip, clip higher, clip epsilon, trust region, clipping range
advantage: advantages, advantage normalization, baseline subtraction, normalize rewards, std
    normalization, leave one out, whiten, gae
group size: group of, num generations, rollouts, rollouts per prompt, samples per prompt, g,
    completions per prompt, generations per prompt, n samples, rollouts per example
zero advantage: all one rate, all zero rate, skip rate, degenerate groups, no signal, dynamic
    sampling, filter groups, uniform groups, empty buffer, zero variance groups
reward: rewards, reward function, reward shaping, reward model, scoring function, verifier, shaped
    reward
partial credit: partial reward, dense reward, graded reward, soft reward
binary reward: sparse reward, binary correctness, all or nothing, 0 1 reward, correctness only,
    exact match reward
format reward: format bonus, boxed, format penalty, answer format
length penalty: overlong, overlong penalty, length reward, penalize long, conciseness, efficiency
    reward, brevity, truncated, overlong filtering
entropy: entropy bonus, exploration bonus, entropy coefficient, entropy collapse, exploration
off policy: stale, staleness, async, asynchronous, on policy, replay, replay buffer, off
    policyness, async level
max tokens: max completion length, max new tokens, completion length, response length, generation
    length, output length, token limit, longer generations, output tokens, generation limit
temperature: temp, sampling temperature, t
greedy: temp 0, temperature 0, temp zero, zero temperature, deterministic, argmax, deterministic
    sampling, deterministic decoding, no sampling, t 0
high temperature: high temp, temp 1, hot sampling, more diverse sampling
sampling: top p, top k, min p, nucleus, decoding, decode, sampler
dpo: preference optimization, orpo, kto, simpo, ipo, preference pairs, rlhf, preference
critic: value function, value head, value model
on policy distillation: opd, reverse kl distillation
reward hacking: hack, gaming, degenerate, exploit the reward
model collapse: collapse, mode collapse, degenerate output, gibberish, diversity collapse
multi turn: tool use, tool calls, tools, agentic, tool routing, function calling
"""

FINETUNING = """
sft: supervised fine tuning, fine tuning, finetuning, finetune, fine tune, instruction tuning,
    behaviour cloning, behavior cloning
lora: adapter, low rank, peft, dora, adapters, low rank adaptation, rslora, qlora, low rank adapter
lora rank: rank, adapter rank, lora r, lora 64, lora 32, lora 16, lora 8, adapter size, rank of the
    adapter, adapter dimension, bigger adapter, smaller adapter
lora alpha: alpha, lora scaling, adapter scale
target modules: all linear, attention only, which layers adapted, lora layers, adapt only
full finetuning: full fine tuning, full finetune, full parameter, fft, all parameters, full weights
freezing: freeze, frozen, unfreeze, train only, trainable
distillation: distill, teacher, student, knowledge distillation, self distillation, self distill,
    soft labels, logit distillation, self training, rejection sampling, best of n, star, expert
    iteration
best of n: best of, pass k, pass at, any correct, oracle, reranking, rerank
ensemble: ensembling, several models, multiple models, combine models, model averaging, mixture of
    models, average predictions, average the votes, 2 model, 3 model, committee
majority vote: majority, vote, voting, mv, self consistency, maj, votes, weighted mv, consensus
completion only: mask prompt, prompt loss, train on completions, assistant only loss, prompt
    masking, loss on answers
system prompt: prompt template, chat template, instruction, template
chain of thought: cot, reasoning, think, thinking, reasoning traces, scratchpad, think format, step
    by step
base model: model choice, model swap, checkpoint, pretrained model, instruct, instruct model,
    another model, different model, other model, qwen, llama, gemma, mistral, phi, deepseek,
    starting model ~ gpt, claude, sonnet, opus, llm, gated
merging: merge, model merging, task arithmetic, ties, slerp, merged
neftune: noisy embeddings, embedding noise
catastrophic forgetting: forgetting, retention, regress elsewhere
overfitting: overfit, overfits, memorize, memorization, memorise, too many epochs
underfitting: underfit, undertrained, not converged
"""

PROMPTS = """
gepa: reflective, reflection, genetic pareto, prompt evolution, evolve prompt, evolution, evolved,
    mutation, co evolution
mipro: miprov2, dspy, copro, bootstrap, teleprompter, ape, opro
few shot: demonstrations, exemplars, in context examples, demos, fewshot, shots, in context
    learning, icl examples
prompt: instructions, wording, prompt wording, phrasing
seed prompt: initial prompt, starting prompt, evolved seed
pareto: epsilon greedy, candidate selection, selection strategy, frontier, candidate selector
candidates: candidate pool, population, proposals
minibatch evaluation: reflection minibatch, feedback minibatch, minibatch size, evaluation
    minibatch
judge: llm judge, grader, rubric, scoring model, llm as a judge, grading, judge model, evaluation
    model ~ evaluator, scorer
task model: task lm, target model, student lm, executor, model to be optimised, solver ~ lm
reflection model: reflection lm, proposer, teacher lm, optimizer model
metric calls: max metric calls, evaluation budget, rollouts budget, evaluations budget
cache: caching, cached, memoize
module selection: module selector, round robin, which component, all modules, component selector
crossover: merge candidates, system aware merge, combine prompts
feedback: textual feedback, error analysis, traces feedback, explanations
structured output: json output, json mode, schema, output format, parse
"""

CHANGES = """
higher: increase, raise, more, larger, bigger, up, boost, grow, greater, goesup, double, stronger,
    extra, enlarge, longer, wider, deeper, expand, lift, hike
lower: decrease, reduce, fewer, smaller, less, down, shrink, cut, goesdown, halve, weaker, shorter,
    narrower, shallower, lessen, drop, trim, tighter
half: halve, halving, 0.5x, 0.5, 1/2, divide by 2
twice: double, doubling, 2x, 2.0
remove: removing, drop, without, disable, no, ablate, delete, eliminate, turn off, skip the, omit,
    get rid
learned: learnable, trainable, learn per
last layers: final layers, only last, upper layers, late layers, top layers, deepest layers
first layers: early layers, lower layers, bottom layers, initial layers
alternate layers: every other layer, alternating, every 2nd layer, every second layer, every 3rd
    layer, every third layer, interleave
per layer: layerwise, layer wise, each layer, depth dependent, by depth, with depth, layer
    dependent
per head: headwise, head wise, each head
combine: combined, together, both, stack, joint
random: randomly, randomized, stochastic
small: tiny, little, slight, minor, smaller
large: big, huge, larger, bigger
square root: sqrt, root
inverse: 1 over, reciprocal
exponential: exponentially, geometric
"""

TABLES = (
    *(SCHEDULE, OPTIMISERS, ARCHITECTURE, NUMERICS),
    *(DATA, REINFORCEMENT, FINETUNING, PROMPTS, CHANGES),
)

QUIET = """
a an the of to in on for with by at from as is are be was were it its this that these those and or
but not than then so if we our you i let do does did has have had can could should would will may
might there here when while during over under into onto out off per via vs versus about after before
between through across instead rather such some any each all too very just also only same other
another use using used try trying test testing make making set setting keep keeping put add adding
added give giving get getting take run running change changing changed switch replace replacing new
old different better worse good bad improve improvement help helps hurt hurts result results model
models training train trained value values number amount whole even still see what which how why
because e g s t n c v x w d m k b first next against result experiment baseline current default much
many lot little bit slightly instead way more most way please want would like idea
"""
