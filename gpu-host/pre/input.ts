import type { TensorType } from '../tensors.ts';

/** What one input feeds to one input tensor of the graph. */
export interface Feed {
  readonly name: string;
  readonly type: TensorType;
  /** Of one input, without the batch. */
  readonly dims: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
  /** Set where inputs of a batch may differ in width: how the narrower ones are filled up. */
  readonly ragged?: Ragged;
}

interface Ragged {
  readonly layout: 'nchw' | 'nhwc';
  /** Normalised, per channel. */
  readonly fill: readonly number[];
}

/** From the model's input back to the picture: pictureX = (x − offsetX) / scaleX. */
export interface Geometry {
  /** Pixels of the payload picture. */
  readonly width: number;
  readonly height: number;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly offsetX: number;
  readonly offsetY: number;
  /** Pixels of the model's input. */
  readonly inputWidth: number;
  readonly inputHeight: number;
}

/** What postprocessing is told of an input. */
export interface InputInfo {
  /** Absent where the input is no picture. */
  readonly geometry?: Geometry;
  /** Whatever the user's `preprocess` wants its `postprocess` to know; plain data. */
  readonly custom?: unknown;
}

export interface PreprocessedInput {
  readonly feeds: readonly Feed[];
  readonly info: InputInfo;
}
