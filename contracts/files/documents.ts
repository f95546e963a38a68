import { OneOf, Token, Type, type Static } from '../schema.ts';

/**
 * The documents that users write (YAML), told apart by `kind`. Unknown fields are errors here: they are typing mistakes.
 * Times in ms, rates in Hz, memory in MB (10^6 bytes).
 */
const strict = { additionalProperties: false } as const;
const positive = (description: string) => Type.Number({ exclusiveMinimum: 0, description });
const names = (description: string) => Type.Array(Type.String(), { minItems: 1, description });

// ── Model ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const PicturePreprocess = Type.Object(
  {
    kind: Type.Literal('picture'),
    width: Type.Integer({ minimum: 1, maximum: 8192, description: 'pixels of the model input' }),
    height: Type.Integer({ minimum: 1, maximum: 8192 }),
    fit: OneOf(
      ['stretch', 'contain', 'cover', 'pad-right'] as const,
      'stretch: ignore the ratio; contain: pad right and below; cover: crop the middle; pad-right: scale to the height, pad on the right',
    ),
    widthStep: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'pad-right only: a run is as wide as its widest line, rounded up to a multiple of this, at most `width`; ' +
          'on a CPU lines of one width run together, others one after the other',
      }),
    ),
    widthUsual: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'pad-right only: width of the inputs that the model is measured with; default `width`, the widest',
      }),
    ),
    color: Type.Optional(OneOf(['rgb', 'bgr', 'gray'] as const, 'default rgb')),
    layout: Type.Optional(OneOf(['nchw', 'nhwc'] as const, 'default nchw')),
    type: Type.Optional(OneOf(['float32', 'uint8'] as const, 'default float32')),
    scale: Type.Optional(
      Type.Number({ description: 'x = (value * scale - mean) / std with value in 0..255; default 1/255' }),
    ),
    mean: Type.Optional(
      Type.Array(Type.Number(), {
        minItems: 1,
        maxItems: 3,
        description: 'per channel in the order of `color`; default 0',
      }),
    ),
    std: Type.Optional(Type.Array(Type.Number(), { minItems: 1, maxItems: 3, description: 'default 1' })),
    padValue: Type.Optional(Type.Number({ description: '0..255, default 0' })),
  },
  strict,
);

export const Preprocess = Type.Union([
  PicturePreprocess,
  Type.Object(
    { kind: Type.Literal('tensors') },
    { ...strict, description: 'the request brings the tensors by input name' },
  ),
  Type.Object(
    { kind: Type.Literal('module'), file: Type.String({ description: 'module with `export function preprocess`' }) },
    strict,
  ),
]);

const outputName = Type.Optional(
  Type.String({ description: 'name of the output tensor; may be omitted where the model has one' }),
);
const Labels = Type.Union([Type.Array(Type.String()), Type.String({ description: 'a file with one label a line' })]);

export const Postprocess = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('classes'),
      output: outputName,
      labels: Type.Optional(Labels),
      top: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'default 5' })),
      softmax: Type.Optional(Type.Boolean({ description: 'default false: the outputs are probabilities' })),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('text-boxes'),
      output: outputName,
      threshold: Type.Optional(Type.Number({ description: 'binarisation of the probability map, default 0.3' })),
      boxThreshold: Type.Optional(Type.Number({ description: 'least mean probability inside a box, default 0.6' })),
      unclip: Type.Optional(positive('how much a box grows: distance = area · unclip / perimeter; default 1.5')),
      sideMin: Type.Optional(positive('least side in pixels of the map, default 3')),
      boxesMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'default 100' })),
    },
    { ...strict, description: 'text detection by differentiable binarisation (DB): [N,1,H,W] probabilities' },
  ),
  Type.Object(
    {
      kind: Type.Literal('ctc'),
      output: outputName,
      keys: Type.String({ description: 'file with one character a line' }),
      blank: Type.Optional(
        Type.Integer({ minimum: 0, description: 'index of the blank, default 0; the keys follow it' }),
      ),
      space: Type.Optional(Type.Boolean({ description: 'a space follows the keys, default true' })),
      alphabet: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 4096,
          description:
            'it reads these characters alone: when it is applied, the columns of its last layer for all others are cut',
        }),
      ),
    },
    { ...strict, description: 'text by CTC, greedy: [N,T,classes] probabilities' },
  ),
  Type.Object(
    {
      kind: Type.Literal('boxes'),
      boxes: outputName,
      scores: Type.Optional(
        Type.String({
          description: 'name of the scores tensor [N,A,classes]; omitted: they follow the coordinates in `boxes`',
        }),
      ),
      transposed: Type.Optional(
        Type.Boolean({ description: '[N,4+classes,A] instead of [N,A,4+classes]; default false' }),
      ),
      coordinates: OneOf(['corners', 'center', 'corner-size'] as const, 'x1 y1 x2 y2 · cx cy w h · x y w h'),
      normalised: Type.Optional(
        Type.Boolean({ description: 'coordinates are 0..1 of the model input; default false: pixels of it' }),
      ),
      objectness: Type.Optional(
        Type.Boolean({ description: 'the first score is objectness and multiplies the others; default false' }),
      ),
      background: Type.Optional(Type.Integer({ minimum: 0, description: 'class that means nothing' })),
      labels: Type.Optional(Labels),
      scoreThreshold: Type.Optional(Type.Number({ description: 'default 0.5' })),
      iouThreshold: Type.Optional(Type.Number({ description: 'non-maximum suppression, per class; default 0.45' })),
      boxesMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'default 100' })),
    },
    strict,
  ),
  Type.Object({ kind: Type.Literal('tensors') }, { ...strict, description: 'the raw outputs' }),
  Type.Object(
    { kind: Type.Literal('module'), file: Type.String({ description: 'module with `export function postprocess`' }) },
    strict,
  ),
]);

export const ModelDocument = Type.Object(
  {
    kind: Type.Literal('Model'),
    name: Token('unique in the cluster'),
    version: Type.String({ maxLength: 64 }),
    file: Type.String({ description: 'ONNX file: a path relative to this document, or npm:<package>/<path>' }),
    licence: Type.String({ description: 'of the weights' }),
    source: Type.String({ description: 'where the weights come from' }),
    input: Type.Optional(
      Type.String({ description: 'name of the input tensor; may be omitted where the model has one' }),
    ),
    preprocess: Preprocess,
    postprocess: Postprocess,
    batchMax: Type.Integer({
      minimum: 1,
      maximum: 1024,
      description:
        'largest batch to profile and plan; above 1, a graph that was exported for a batch of 1 is changed to take any when it ' +
        'is applied, or refused with the reason',
    }),
    ephemeralMB: Type.Optional(
      Type.Object(
        { fixed: Type.Number({ minimum: 0 }), perItem: Type.Number({ minimum: 0 }) },
        {
          ...strict,
          description: 'working memory of a run; reckoned from the sizes of inputs and outputs where omitted',
        },
      ),
    ),
    emulation: Type.Optional(
      Type.Object(
        {
          alphaMs: Type.Number({ minimum: 0, description: 'ℓ(b) = α·b + β' }),
          betaMs: Type.Number({ minimum: 0 }),
          persistentMB: Type.Number({ minimum: 0 }),
          ephemeralMBPerItem: Type.Number({ minimum: 0 }),
          loadMs: Type.Optional(Type.Number({ minimum: 0 })),
          preMs: Type.Optional(
            Type.Number({
              minimum: 0,
              description: 'to prepare one input on one of the CPU cores beside the device; default 0',
            }),
          ),
          jitter: Type.Optional(
            Type.Number({ minimum: 0, maximum: 1, description: 'relative standard deviation of the run time' }),
          ),
          boxes: Type.Optional(
            Type.Number({ minimum: 0, description: 'mean number of boxes it pretends to find (Poisson)' }),
          ),
          prefix: Type.Optional(
            Type.Object(
              {
                name: Token('models that declare the same prefix, name and figures, share it'),
                alphaMs: Type.Number({ minimum: 0 }),
                betaMs: Type.Number({ minimum: 0 }),
                persistentMB: Type.Number({ minimum: 0 }),
              },
              { ...strict, description: 'what of these figures is a leading part that it shares with other models' },
            ),
          ),
        },
        { ...strict, description: 'how an emulated device pretends to run it' },
      ),
    ),
  },
  strict,
);
export type ModelDocument = Static<typeof ModelDocument>;

// ── Query ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const place = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });
const extent = (description: string) => Type.Number({ exclusiveMinimum: 0, maximum: 1, description });

export const FrameRegion = Type.Object(
  {
    x: place('left edge'),
    y: place('upper edge'),
    width: extent("of the frame's width"),
    height: extent("of the frame's height"),
  },
  { ...strict, description: 'a part of the frame, all in fractions of its width and height' },
);
export type FrameRegion = Static<typeof FrameRegion>;

export const QueryStage = Type.Object(
  {
    model: Token('name of a model'),
    from: Type.Optional(Token('stage whose boxes it reads; omitted: the frame itself')),
    fanoutMax: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'at most so many boxes a result, best scores first; default 32',
      }),
    ),
    fanout: Type.Optional(
      Type.Number({ minimum: 0, description: 'expected boxes a result, until it has been measured; default 1' }),
    ),
    labels: Type.Optional(names('only boxes with one of these labels')),
    scoreMin: Type.Optional(Type.Number({ description: 'only boxes with at least this score' })),
    regions: Type.Optional(
      Type.Array(FrameRegion, {
        minItems: 1,
        maxItems: 64,
        description: 'only boxes whose middle lies in one of these parts of the frame',
      }),
    ),
    pad: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'enlarge each box by this share of its smaller side; default 0',
      }),
    ),
    whole: Type.Optional(
      Type.Boolean({ description: 'take the whole frame once more instead of crops; default false' }),
    ),
  },
  strict,
);

export const QueryDocument = Type.Object(
  {
    kind: Type.Literal('Query'),
    name: Token('unique in its tenant'),
    tenant: Type.Optional(Token('default: default')),
    streams: Type.Optional(
      names('streams of the tenant that it reads; * matches any characters; omitted: one-off requests only'),
    ),
    objectiveMs: positive('end to end, from the acceptance of a frame to its result'),
    rateHz: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'expected requests per second over all streams, until they have been measured; default 1',
      }),
    ),
    prefer: Type.Optional(
      OneOf(['latency', 'consolidation'] as const, 'start early, or wait and leave devices idle; default latency'),
    ),
    delivery: Type.Optional(
      OneOf(
        ['interactive', 'durable'] as const,
        'durable: frames are stored and tried until they have a result, at the price of latency; default interactive',
      ),
    ),
    priority: Type.Optional(
      Type.Integer({
        minimum: -100,
        maximum: 100,
        description: 'when hosts do not suffice, higher ones are served first and lower ones refused; default 0',
      }),
    ),
    stages: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), QueryStage, {
      minProperties: 1,
      maxProperties: 64,
    }),
  },
  strict,
);
export type QueryDocument = Static<typeof QueryDocument>;

// ── Stream ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const Source = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('synthetic'),
      seed: Type.Optional(Type.Integer({ minimum: 0, description: 'default 1' })),
      width: Type.Optional(Type.Integer({ minimum: 64, maximum: 4096, description: 'default 640' })),
      height: Type.Optional(Type.Integer({ minimum: 64, maximum: 4096, description: 'default 360' })),
      noise: Type.Optional(
        Type.Number({ minimum: 0, maximum: 1, description: 'standard deviation, 1 = full scale; default 0.02' }),
      ),
      motion: Type.Optional(
        Type.Number({
          minimum: 0,
          maximum: 4,
          description: 'speed of what moves; 0: all but the texts stands still; default 1',
        }),
      ),
      durationS: Type.Optional(positive('the broadcast ends after this; omitted: never')),
    },
    { ...strict, description: 'a scoreboard broadcast with known ground truth' },
  ),
  Type.Object(
    {
      kind: Type.Literal('ffmpeg'),
      url: Type.String({ description: 'file, rtsp://…, http://…, /dev/video0: whatever ffmpeg reads' }),
      inputOptions: Type.Optional(Type.Array(Type.String(), { description: 'ffmpeg options before -i' })),
      realtime: Type.Optional(Type.Boolean({ description: 'read a file at its own speed; default true' })),
      loop: Type.Optional(Type.Boolean({ description: 'default false' })),
      width: Type.Optional(Type.Integer({ minimum: 16, maximum: 8192, description: 'scale to this width' })),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('folder'),
      path: Type.String({ description: 'pictures are sent in the order of their names' }),
      loop: Type.Optional(Type.Boolean({ description: 'default false' })),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('subject'),
      subject: Type.String({ description: 'NATS subject that carries bare pictures or frames' }),
    },
    strict,
  ),
]);
export type Source = Static<typeof Source>;

export const StreamDocument = Type.Object(
  {
    kind: Type.Literal('Stream'),
    name: Token('unique in its tenant'),
    tenant: Type.Optional(Token('default: default')),
    source: Source,
    rateHz: positive('frames sampled per second'),
    sampler: Type.Optional(
      Token('name of the sampler that reads it, where only one machine can; omitted: the samplers share'),
    ),
    skipUnchanged: Type.Optional(
      Type.Object(
        {
          threshold: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 1,
              description:
                'a frame is unchanged while no spot (1/80 of its width) differs by this from the last one sent: ' +
                'mean absolute difference of gray thumbnails, 0..1; default 0.08',
            }),
          ),
          keepAliveMs: Type.Optional(positive('send one at least this often; default 2000')),
        },
        { ...strict, description: 'omitted: every frame is sent' },
      ),
    ),
    jpegQuality: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'default 85' })),
    durable: Type.Optional(
      Type.Boolean({
        description:
          'each frame is published until it is stored, and the source waits meanwhile; for streams of durable queries; default false',
      }),
    ),
    deadAfterMs: Type.Optional(positive('no picture for so long: the source is dead and is reopened; default 10000')),
  },
  strict,
);
export type StreamDocument = Static<typeof StreamDocument>;

// ── Cluster ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export const DeviceSettings = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('onnx'),
      providers: Type.Optional(
        names('onnxruntime execution providers in order of preference: tensorrt, cuda, …, cpu; default [cpu]'),
      ),
      threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 256, description: 'per run on the CPU; default 1' })),
      memoryMB: Type.Optional(positive('what may be planned with; default 4096')),
      name: Type.Optional(Token('kind of device for profiles; default from the provider and the machine')),
      deviceId: Type.Optional(Type.Integer({ minimum: 0, description: 'which GPU of the machine; default 0' })),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('emulated'),
      name: Type.Optional(Token('kind of device for profiles; default emulated')),
      memoryMB: Type.Optional(positive('default 8192')),
      cores: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 256, description: 'CPU cores that prepare inputs for it; default 4' }),
      ),
      seed: Type.Optional(Type.Integer({ minimum: 0 })),
    },
    strict,
  ),
]);
export type DeviceSettings = Static<typeof DeviceSettings>;

export const ACTOR_NAMES = ['stream-sampler', 'query-router', 'prefix-batcher', 'gpu-host', 'allocator'] as const;

export const ClusterDocument = Type.Object(
  {
    kind: Type.Literal('Cluster'),
    name: Token('names the processes and the data folder'),
    nats: Type.Optional(
      Type.Union([
        Type.Object({ url: Type.String({ description: 'nats://host:port of a running server' }) }, strict),
        Type.Object(
          {
            start: Type.Literal(true),
            port: Type.Optional(
              Type.Integer({ minimum: 0, maximum: 65535, description: 'default 4222; 0: a free one' }),
            ),
            store: Type.Optional(Type.String({ description: 'folder for JetStream; default below the data folder' })),
          },
          strict,
        ),
      ]),
    ),
    prefix: Type.Optional(Token('first token of all subjects; default ganglion')),
    actors: Type.Array(
      Type.Object(
        {
          actor: Type.String({ description: `${ACTOR_NAMES.join(', ')}, or a path to your own actor file` }),
          name: Type.Optional(Token('of the instance; default <actor>-<n>')),
          count: Type.Optional(Type.Integer({ minimum: 1, maximum: 256, description: 'instances; default 1' })),
          config: Type.Optional(
            Type.Record(Type.String(), Type.Unknown(), { description: 'of the actor, see its documentation' }),
          ),
        },
        strict,
      ),
      { minItems: 1 },
    ),
    apply: Type.Optional(
      Type.Array(Type.String(), { description: 'files to apply once the cluster is up, relative to this one' }),
    ),
  },
  strict,
);
export type ClusterDocument = Static<typeof ClusterDocument>;

export const DOCUMENTS = {
  Model: ModelDocument,
  Query: QueryDocument,
  Stream: StreamDocument,
  Cluster: ClusterDocument,
} as const;
export type AnyDocument = ModelDocument | QueryDocument | StreamDocument | ClusterDocument;
