import { type Picture, type PicturePreprocess, type Static } from '../../contracts/index.ts';
import { openPicture, pictureSize, toPixels } from '../imaging.ts';
import type { Feed, Geometry, PreprocessedInput } from './input.ts';
import { channelsOf, pictureTensor } from './normalise.ts';

export type PictureSettings = Static<typeof PicturePreprocess>;

/** Where a picture of `width`×`height` comes to lie in the model's input. Pure. */
export function place(settings: PictureSettings, width: number, height: number): Geometry & { readonly drawn: Drawn } {
  const { fit, width: inputWidth, height: inputHeight } = settings;
  const ratioX = inputWidth / width;
  const ratioY = inputHeight / height;
  const ratio = fit === 'contain' ? Math.min(ratioX, ratioY) : fit === 'cover' ? Math.max(ratioX, ratioY) : ratioY;
  const scaled = (side: number): number => Math.max(1, Math.round(side * ratio));
  const drawn =
    fit === 'stretch'
      ? { width: inputWidth, height: inputHeight }
      : fit === 'pad-right'
        ? { width: Math.min(inputWidth, scaled(width)), height: inputHeight }
        : fit === 'contain'
          ? { width: Math.min(inputWidth, scaled(width)), height: Math.min(inputHeight, scaled(height)) }
          : { width: Math.max(inputWidth, scaled(width)), height: Math.max(inputHeight, scaled(height)) };
  const step = settings.widthStep;
  return {
    width,
    height,
    scaleX: drawn.width / width,
    scaleY: drawn.height / height,
    offsetX: fit === 'cover' ? -Math.floor((drawn.width - inputWidth) / 2) : 0,
    offsetY: fit === 'cover' ? -Math.floor((drawn.height - inputHeight) / 2) : 0,
    inputWidth: fit === 'pad-right' && step ? Math.min(inputWidth, Math.ceil(drawn.width / step) * step) : inputWidth,
    inputHeight,
    drawn,
  };
}

/** Size that the whole picture is scaled to. */
interface Drawn {
  readonly width: number;
  readonly height: number;
}

/** Decodes, scales and normalises a picture for the input tensor `name`. @throws InputError */
export async function preprocessPicture(
  name: string,
  settings: PictureSettings,
  picture: Picture,
): Promise<PreprocessedInput> {
  const size = await pictureSize(picture);
  const { drawn, ...geometry } = place(settings, size.width, size.height);
  let chain = openPicture(picture);
  if (drawn.width !== size.width || drawn.height !== size.height)
    chain = chain.resize(drawn.width, drawn.height, { fit: 'fill', kernel: 'linear' });
  if (settings.fit === 'cover') {
    const { offsetX, offsetY, inputWidth: width, inputHeight: height } = geometry;
    chain = chain.extract({ left: -offsetX, top: -offsetY, width, height });
  }
  const pixels = await toPixels(chain, picture.encoding);
  const { inputWidth, inputHeight } = geometry;
  const { data, fill } = pictureTensor(settings, pixels, inputWidth, inputHeight);
  const channels = channelsOf(settings);
  const layout = settings.layout ?? 'nchw';
  const feed: Feed = {
    name,
    type: settings.type ?? 'float32',
    dims: layout === 'nchw' ? [channels, inputHeight, inputWidth] : [inputHeight, inputWidth, channels],
    data,
    ...(settings.fit === 'pad-right' && settings.widthStep ? { ragged: { layout, fill } } : {}),
  };
  return { feeds: [feed], info: { geometry } };
}
