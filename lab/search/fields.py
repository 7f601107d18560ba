"""Synonyms of neighbouring fields, in the form of `vocabulary`: pictures, control, search, trees.

Kept apart so that each table can be read at once: what a leaf is about decides which one matters.
"""

VISION = """
crop: random crop, random crops, cropping, center crop, random resized crop, crop size
translation: translate, shift augmentation, random shift, jitter position ~ crop, padding
flip: horizontal flip, hflip, mirror, mirroring, mirrored, flipping, left right flip, reflected
cutout: random erasing, erase patches, erasing, occlusion, masking out squares, cut out, erase
mixup: cutmix, mix up, cut mix, blend images, interpolate examples, convex combination of examples
color jitter: colour jitter, brightness, contrast, saturation, hue, colour augmentation, grayscale
rotation: rotate, rotated, rotating, random rotation, affine
randaugment: autoaugment, trivial augment, augmix, augmentation policy, strong augmentation
test time augmentation: tta, multi crop, average over views, flipped copies, views at test time
resolution: image size, input size, pixels, progressive resizing, resize, resized, downsample,
    downscale, upscale, image resolution, small images
stride: strided, downsampling, subsampling ~ resolution
batch norm: batchnorm, bn, batch normalization, ghost batch norm, running statistics ~ normalization
group norm: groupnorm, gn, instance norm, instancenorm ~ normalization, batch norm
convolution: conv, convolutional, conv2d, filters, kernel size, depthwise, separable convolution
squeeze and excite: squeeze excite, squeeze and excitation, se block, channel attention, se module,
    channel gating
pooling: pool, average pool, max pool, global average pooling, avg pool, gap
stem: first layer, first convolution, patchify
patch: patch size, patches, patch embedding
whitening: zca, pca whitening, decorrelate inputs, standardize inputs, normalize inputs
resnet: residual network, resnext, wide resnet, wideresnet, convnext, efficientnet, backbone, vit,
    vision transformer ~ architecture
channels last: nhwc, memory format, channels first, nchw
depth of the network: deeper network, shallower network, more blocks, number of blocks ~ depth
"""

CONTROL = """
discount: gamma, discount factor, horizon, discounting, far sighted, future rewards, discounted
advantage estimation: gae, gae lambda, generalized advantage, td lambda, lambda return,
    bootstrapping
    returns ~ advantage, lambda
n step returns: n step, multi step returns, multistep, td n, n step bootstrapping
environments: parallel environments, number of envs, num envs, vectorized environments, actors,
    workers, env, envs, rollout workers, environment copies
replay buffer: experience replay, replay memory, buffer size, replay size, transitions, past
    transitions, memory of transitions, buffer ~ replay
prioritized replay: prioritised replay, prioritized experience replay, td error sampling,
    sample surprising transitions, priorities ~ replay
target network: target net, soft update, soft target update, polyak averaging, tau, hard target
    update, target update, lagged network, delayed network ~ polyak
exploration noise: epsilon greedy, random actions, exploration rate, noisy nets, ou noise,
    exploration schedule, epsilon decay ~ exploration, epsilon
observation normalization: normalize observations, running mean of observations, clip observations,
    observation scaling, normalize states ~ observation
reward scaling: reward normalization, normalize rewards, reward clipping, scale rewards, normalize
    returns, return normalization, divide rewards ~ reward
value coefficient: value loss coefficient, vf coef, critic loss weight, value loss weight
shared trunk: share actor and critic, separate networks, shared backbone, shared encoder, separate
    actor and critic, shared layers of policy and value, share trunk ~ shared, separate
policy: actor, policy network, actor network, agent network
value function: critic, value network, q network, q function, value head, baseline network
frame stack: frame stacking, stacked frames, history of observations, past frames, number of frames
action repeat: frame skip, frameskip, repeat actions, sticky actions, action frequency
squashed actions: tanh policy, action bounds, squash, clip actions, action scaling
ppo epochs: update epochs, epochs per batch, reuse each batch, passes over the rollout, epochs of
    ppo, reuse experience, sample reuse, update to data ratio, utd
sac: soft actor critic, td3, ddpg, dqn, double dqn, dueling, rainbow, a2c, impala, trpo
domain randomization: randomize dynamics, randomized physics, perturb the environment
model based: world model, dreamer, planning, imagined rollouts, mpc
behaviour prior: demonstration data, expert data, imitation, warm start the policy
"""

HEURISTICS = """
simulated annealing: sa, annealing, anneal, metropolis, acceptance criterion, accept worse, accept
    uphill, uphill moves, uphill, worse solutions, acceptance probability, heat, threshold
    accepting, boltzmann, accept longer ~ temperature, accept, acceptance
annealing temperature: start temp, initial temperature, start temperature, end temp, hotter, cooler,
    cooling rate, cooling schedule, cooling, starting temperature, final temperature ~ temperature,
    temp, anneal, heat, melt
perturbation: kick, kicks, double bridge, perturb, disturb, shake, segment length, kick size,
    perturbation strength, perturbation size, mutation strength, ruin and recreate, large step ~
    segment, mutation
iterated local search: ils, restart from the best, kicks instead of restarts, chained
local search: hill climbing, 2 opt, two opt, 3 opt, or opt, lin kernighan, lk, neighbourhood search,
    neighborhood search, local moves, descent, move set, swap moves, relocate ~ move, moves, swap
candidate list: neighbours, neighbors, nearest neighbours, nearest neighbors, candidate lists,
    candidate set, neighbour list, neighbor list, knn list, k nearest, neighbourhood size
don't look bits: dont look bits, work queue, queue of dirty nodes, look bits
starting solution: initial solution, initial tour, construction, greedy start, nearest neighbour
    start, space filling curve, first tour, first solution, constructive, savings heuristic, start
    from, build the first
random restarts: multi start, multistart, restarts, start afresh, start over, from scratch, restart
tabu: tabu search, tabu list, forbid recent moves, forbidden moves, forbid, taboo
genetic algorithm: crossover, recombination, recombine, parents, offspring, evolutionary,
    population, edge recombination, ox, breed ~ mutation
distance matrix: precomputed distances, distance table, coordinates, compute distances on the fly,
    distance cache ~ distance
single precision: float32, f32, 32 bit floats, floats instead of doubles, double precision
threads: multithreading, cores, several cores, parallel, processes, multiprocessing, multicore,
    openmp, workers, multi core
native code: in c, ctypes, cython, numba, rust, c extension, compiled code, inner loop in c, gcc,
    numpy vectorized, vectorize, compiled language ~ compile
ant colony: aco, pheromone, particle swarm, cma es, differential evolution
branch and bound: exact solver, pruning, lower bound, beam search, dynamic programming
"""

TREES = """
boosting rounds: n estimators, number of trees, num rounds, rounds, more trees, iterations of
    boosting, trees, num boost round
shrinkage: eta, learning rate of boosting, boosting rate, shrink ~ learning rate
tree depth: max depth, deeper trees, shallower trees, depth of trees, leaves, num leaves, leaf
    count, tree size, number of leaves ~ depth
minimum leaf size: min child weight, min samples leaf, min data in leaf, min child samples, minimum
    samples, min leaf
column subsample: colsample, feature fraction, colsample bytree, max features, features per tree,
    features per split, column sampling, subsample features, feature bagging, sample features
row subsample: bagging, bagging fraction, subsample, subsample rows, row sampling, bootstrap,
    row bagging ~ sampling
gradient boosting: gbdt, gbm, xgboost, lightgbm, catboost, random forest, extra trees, boosting
bins: max bin, histogram bins, number of bins, binning, discretize, quantile bins
categorical encoding: one hot, target encoding, ordinal encoding, ordinal, categories, categorical,
    mean encoding, label encoding, category, frequency encoding, hashing trick
missing values: impute, imputation, missing, fill missing, nan, fillna, null values, median fill
feature selection: drop features, select features, feature importance, remove columns, fewer
    features, unimportant features, permutation importance, zero gain, drop columns
feature engineering: interaction features, new features, derived features, ratios of columns,
    feature crosses, polynomial features, covariates, regressors, exogenous ~ features
class weights: class imbalance, imbalance, scale pos weight, oversampling, undersampling, rare
    class, rebalance, rebalance the classes, balanced, smote, positive weight, minority class,
    reweight classes, class weighting
target transform: log target, log of the target, log transform, log1p, box cox, transform the
    label, transform the target, logarithm, logarithmic, logarithmically ~ log
cross validation: folds, k fold, kfold, cv, stratified, number of folds, out of fold, splits
stacking: blend, blending, stacked, meta learner, second level, blend with, weighted average of
    models ~ ensemble
robust loss: mae, huber, absolute error, l1 loss, quantile loss, pinball, log cosh, median
    regression, mean absolute error
squared error: mse, l2 loss, rmse, mean squared error
monotone: monotonic, monotone constraints, monotonicity
threshold: decision threshold, cutoff, cut off, confidence threshold, operating point
calibration: platt, isotonic, temperature scaling, calibrated
linear model: logistic regression, ridge, lasso, linear regression, elastic net, regression, svm
"""

RETRIEVAL = """
chunk: chunks, chunking, passage, passages, passage length, chunk size, split documents, segments of
    documents, paragraphs
chunk overlap: overlap, overlapping, sliding chunks, stride of chunks
top k passages: number of passages, retrieve more, more documents, fewer documents, passages
    retrieved, top 5, top 10, top 20, k retrieved, documents retrieved, retrieved documents
rerank: reranker, re rank, cross encoder, reorder, reorders, rescoring, re ranking, second stage
hybrid search: bm25, lexical, sparse retrieval, dense and sparse, keyword search, tf idf, mix of
    sparse and dense, reciprocal rank fusion, hybrid ~ dense, sparse
dense retrieval: dense, embedding search, vector search, bi encoder, dual encoder, vector, vectors
hard negatives: negatives, mined negatives, in batch negatives, negative mining, negative sampling
contrastive loss: infonce, contrastive, triplet loss, margin loss, nt xent, contrastive learning,
    simclr
pooling of tokens: mean pooling, cls token, first token's vector, last token pooling, cls ~ pool
embedding size: embedding dimensions, vector size, matryoshka, truncate embeddings, smaller vectors
nearest neighbour index: ann, hnsw, ivf, faiss, nprobe, ef search, product quantization, pq, index
query expansion: hyde, hypothetical answer, hypothetical document, rewrite the query, expand the
    query, query rewriting, multi query, pseudo document, hypothetical
query decomposition: sub questions, decompose, split the question, multi hop, two hop, sub queries
metadata: titles, headers, title, headings, document titles, contextual chunks
memory: remember, notes kept, store facts, forget ~ cache
retries: retry, try again, attempts, repair, self correct, fix errors
"""

GENERATION = """
noise schedule: beta schedule, cosine noise, linear noise, log snr, noise levels, sigma schedule
v prediction: velocity, predict velocity, epsilon prediction, predict noise, x0 prediction, noise
    prediction, parameterization ~ prediction
guidance: guidance scale, classifier free guidance, cfg, guidance strength, guided
caption dropout: unconditional dropout, drop the caption, drop the label, conditioning dropout,
    unconditional probability, drop condition
sampler steps: ddim, sampling steps, denoising steps, ddpm steps, number of function evaluations,
    nfe, fewer steps of sampling, dpm solver, heun, euler steps, inference steps, sampler
consistency model: consistency distillation, progressive distillation, few step, one step generator
snr weighting: min snr, loss weighting by noise, signal to noise, snr, p2 weighting
timestep sampling: timesteps, logit normal, sample timesteps, time steps drawn
self conditioning: condition on own prediction, previous estimate
latent: latents, latent space, vae, autoencoder, encoder decoder, latent scale, first stage
perceptual loss: lpips, feature loss, vgg loss, perceptual
gan: discriminator, adversarial, generator, adversarial loss
flow matching: rectified flow, normalizing flow, optimal transport, flow
"""

SERIES = """
lookback: look back, input length, history length, window of history, context window of series,
    input window, longer history, input history, past values, lags, lag, hours of history
horizon of the forecast: forecast horizon, predict ahead, multi step forecast, direct forecast,
    recursive forecast, one by one, one step ahead, predict at once
differencing: differences, first differences, detrend, stationary, deltas, returns instead of levels
decomposition: trend, seasonal, seasonality, decompose, season, stl, trend and season
calendar features: holiday, holidays, weekday, day of week, hour of day, time features, date
    features, calendar, month
recurrent: rnn, lstm, gru, recurrent network, hidden state
teacher forcing: scheduled sampling, own predictions as input, exposure bias
instance normalization: revin, reversible normalization, normalize each series, per series scaling,
    normalize each instance, standardize each series
global model: one model for all, model per series, one model per series, per series model, local
    model, channel independent, local models, separate model
walk forward: rolling origin, time based split, expanding window, time series split, backtest,
    chronological split, time based ~ split
outliers: outlier, winsorize, clip extremes, clip outliers, spikes in data, percentile
external signal: exogenous, weather, covariate, external regressors
"""

SERVING = """
speculative decoding: speculative, draft model, draft, guess tokens ahead, medusa, eagle, lookahead
    decoding, verify drafts, guess ahead
kv cache: key value cache, cache of keys and values, kv quantization, cached keys, past key values
prefix caching: prefix cache, reuse prompt, shared prefix, prompt cache, prompt caching, common
    prompts, common prefix, radix cache
continuous batching: in flight batching, dynamic batching, max batch, max num seqs, concurrent
    requests, concurrency, requests at once, serve more, simultaneous requests, requests
chunked prefill: prefill, prompt processing, prefill chunk, split the prompt
tensor parallel: split the model, model parallel, over two gpus, multiple cards, several gpus, two
    cards, pipeline parallel, cards
paged attention: block size of the cache, paged, page size, blocks of the cache, paging
cuda graphs: cuda graph, graph capture, launch overhead
length bucketing: bucketing, sort by length, group by length, similar lengths, similarly long,
    bucket, length sorted
fused kernel: kernel fusion, fused, custom kernel, triton, hand written kernel
latency: time to first token, ttft, response time, tail latency, p99, first token
pinning: affinity, numa, pin threads, cpu affinity, pinned memory
weight quantization: awq, gptq, 4 bit, int4, 8 bit weights, quantized weights, nf4, low bit
flash attention: fa2, fa3, flash, memory efficient attention, sdpa, xformers, attention backend
"""

GRAPHS = """
message passing: gnn, graph network, gcn, gat, graphsage, graph convolution, aggregator, hops
oversmoothing: too many hops, residual between hops, jumping knowledge
edge dropout: drop edge, dropedge, node dropout
speech: audio, wav, spectrogram, mel, mfcc, asr, waveform
spec augment: specaugment, time masking, frequency masking, time warp, mask bands
ctc: connectionist, transducer, rnnt, alignment loss
beam search: beam, beam width, beam size, language model fusion
kernel width: receptive field, dilation, dilated, atrous
gaussian process: gp, bayesian optimization, acquisition
clustering: k means, kmeans, clusters, centroids
semi supervised: pseudo labels, pseudo labelling, self labelled, consistency regularization,
    unlabeled
self supervised: pretext, masked modelling, masked autoencoder, byol, dino, pretraining task
active learning: query by uncertainty, uncertainty sampling, label acquisition
federated: clients, local updates, fedavg
privacy: differential privacy, dp sgd, noise multiplier
"""

TABLES = (VISION, CONTROL, HEURISTICS, TREES, RETRIEVAL, GENERATION, SERIES, SERVING, GRAPHS)
