import { spawn, type ChildProcess } from 'node:child_process';
import { describeError, SourceError, type Source } from '../../../contracts/index.ts';
import { JpegSplitter } from './jpeg-splitter.ts';
import { Latest } from './latest.ts';
import type { PictureSource, Shot, SourceSurroundings } from './source.ts';

type FfmpegSource = Extract<Source, { kind: 'ffmpeg' }>;
const STDERR_CHARS_MAX = 2000;
const TERMINATE_MS = 1000;
const INSTALL =
  'install it (Debian, Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg) ' +
  "or set `ffmpeg` in the stream-sampler's config to its path";

/**
 * Whatever ffmpeg reads: a child process decodes, samples (`-vf fps`) and gives JPEGs on its standard output.
 * @throws SourceError when ffmpeg isn't there; what goes wrong later comes out of `next` with ffmpeg's own last words
 */
export async function openFfmpeg(
  source: FfmpegSource,
  settings: { rateHz: number; quality: number },
  { ffmpeg, timers }: SourceSurroundings,
): Promise<PictureSource> {
  const paced = !isRecording(source) || source.realtime !== false;
  const child = spawn(ffmpeg, ffmpegArguments(source, settings), { stdio: ['ignore', 'pipe', 'pipe'] });
  await started(child, ffmpeg);

  const latest = new Latest<Shot>();
  const splitter = new JpegSplitter();
  let lastWords = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-STDERR_CHARS_MAX);
  });
  const waiting: Uint8Array[] = [];
  const put = (data: Uint8Array): void =>
    latest.put({ picture: { encoding: 'jpeg', data }, takenMs: timers.nowMs(), sound: true });
  /** A recording read as fast as possible loses nothing: its pipe is held while pictures wait. */
  const handOn = (): void => {
    if (!latest.isFull && waiting.length > 0) put(waiting.shift()!);
    if (waiting.length > 0) child.stdout.pause();
    else child.stdout.resume();
  };
  let exit: (() => void) | undefined;
  let closing = false;
  child.stdout.on('data', (chunk: Buffer) => {
    if (closing) return;
    try {
      const pictures = splitter.push(chunk);
      if (paced) for (const picture of pictures) put(picture);
      else {
        waiting.push(...pictures);
        handOn();
      }
    } catch (error) {
      latest.end(error as Error);
      child.kill('SIGKILL');
    }
  });
  // 'close' comes after the last byte of the pipes, but a held pipe must be emptied first.
  const closed = new Promise<void>(resolve =>
    child.once('close', (code, signal) => {
      exit = () => latest.end(whyEnded(source, code, signal, lastWords));
      if (waiting.length === 0) exit();
      resolve();
    }),
  );
  return {
    pace: 'source',
    get missed() {
      return latest.missed;
    },
    next: async () => {
      const taken = latest.take();
      if (!paced && !closing) {
        handOn();
        if (exit && waiting.length === 0) exit();
      }
      return taken;
    },
    close: async () => {
      closing = true;
      latest.end();
      child.stdout.resume();
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const cancel = timers.after(TERMINATE_MS, () => child.kill('SIGKILL'));
      await closed;
      cancel();
    },
  };
}

/** Its end is the end of the stream; anything else that ends (a camera, a broadcast) broke and is reopened. */
export const isRecording = ({ url, realtime }: FfmpegSource): boolean => {
  if (/^https?:/i.test(url)) return realtime !== undefined;
  if (/^file:/i.test(url)) return true;
  return !/^[a-z][a-z0-9+.-]*:/i.test(url) && !url.startsWith('/dev/');
};

export function ffmpegArguments(source: FfmpegSource, settings: { rateHz: number; quality: number }): string[] {
  const { url, inputOptions = [], realtime = true, loop = false, width } = source;
  const recording = isRecording(source);
  const scale = width === undefined ? '' : `,scale=${width}:-2`;
  return [
    '-hide_banner',
    '-nostdin',
    '-loglevel',
    'error',
    ...(recording && realtime ? ['-re'] : []),
    ...(recording && loop ? ['-stream_loop', '-1'] : []),
    ...(/^rtsps?:/i.test(url) && !inputOptions.includes('-rtsp_transport') ? ['-rtsp_transport', 'tcp'] : []),
    ...inputOptions,
    '-i',
    url,
    '-map',
    '0:v:0',
    '-vf',
    `fps=${settings.rateHz}${scale}`,
    '-c:v',
    'mjpeg',
    '-pix_fmt',
    'yuvj420p',
    '-q:v',
    String(quantiserOf(settings.quality)),
    '-f',
    'image2pipe',
    'pipe:1',
  ];
}

/** JPEG quality 1..100 as ffmpeg's scale 2 (best) … 31. */
const quantiserOf = (quality: number): number => Math.min(31, Math.max(2, Math.round((100 - quality) / 3)));

function started(child: ChildProcess, ffmpeg: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', error => {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const why = missing
        ? `was not found (looked for "${ffmpeg}"); ${INSTALL}`
        : `can not be started: ${describeError(error)}`;
      reject(new SourceError(`ffmpeg ${why}`, { cause: error }));
    });
  });
}

/** Undefined for a recording that came to its end. */
function whyEnded(
  source: FfmpegSource,
  code: number | null,
  signal: string | null,
  lastWords: string,
): SourceError | undefined {
  const said = lastWords.trim().split('\n').slice(-4).join(' | ');
  if (code === 0) {
    return isRecording(source)
      ? undefined
      : new SourceError(`${source.url}: the stream broke off${said && `: ${said}`}`);
  }
  const how = code === null ? `was ended by ${signal}` : `ended with code ${code}`;
  return new SourceError(`${source.url}: ffmpeg ${how}: ${said || 'it said nothing'}`);
}
