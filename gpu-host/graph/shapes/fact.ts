import { AttributeProto_AttributeType as A, type NodeProto } from 'onnx-buf';
import { type Dim, isBatch } from './dim.ts';

/** What is known of a tensor before any run. */
export interface Fact {
  /** TensorProto.DataType; undefined where it isn't known. */
  readonly type: number | undefined;
  /** undefined: not even the rank is known. */
  readonly dims: readonly Dim[] | undefined;
  /**
   * `fixed`: the same whatever is fed. `sized`: depends on the sizes of the inputs, not on what they hold. `rows`: along its
   * one batch axis, entry i depends on entry i of the inputs alone.
   * `mixed`: neither can be shown.
   */
  readonly kind: 'fixed' | 'sized' | 'rows' | 'mixed';
  /** The numbers of a small tensor of rank 0 or 1: shapes, axes, scales. */
  readonly numbers?: readonly Dim[] | undefined;
}

/** What a rule says of an output. */
export interface Made {
  readonly dims: readonly Dim[] | undefined;
  /** Default: that of the first input. */
  readonly type?: number | undefined;
  readonly numbers?: readonly Dim[] | undefined;
}

/** A node with the facts of its inputs, and its attributes by name. */
export class Call {
  readonly node: NodeProto;
  readonly inputs: readonly (Fact | undefined)[];
  readonly opset: number;
  /** Set by a rule that computes across rows. */
  mixes = false;

  constructor(node: NodeProto, inputs: readonly (Fact | undefined)[], opset: number) {
    this.node = node;
    this.inputs = inputs;
    this.opset = opset;
  }

  dims(input: number): readonly Dim[] | undefined {
    return this.inputs[input]?.dims;
  }
  private attribute(name: string, type: A) {
    return this.node.attribute.find(one => one.name === name && one.type === type);
  }
  int(name: string, otherwise: number): number {
    const found = this.attribute(name, A.INT);
    return found ? Number(found.i) : otherwise;
  }
  ints(name: string): number[] | undefined {
    return this.attribute(name, A.INTS)?.ints.map(Number);
  }
  floats(name: string): number[] | undefined {
    return this.attribute(name, A.FLOATS)?.floats;
  }
  text(name: string, otherwise: string): string {
    const found = this.attribute(name, A.STRING);
    return found ? Buffer.from(found.s).toString() : otherwise;
  }
  /** From an attribute, as older opsets have it, or from an input. */
  list(name: string, input: number): readonly Dim[] | undefined {
    return this.ints(name) ?? this.inputs[input]?.numbers;
  }

  /** These axes of an input are computed across: mixes rows where one of them is its batch. */
  across(input: number, axes: readonly number[]): void {
    const fact = this.inputs[input];
    if (fact?.kind !== 'rows') return;
    if (!fact.dims || axes.some(axis => isBatch(fact.dims![axis]))) this.mixes = true;
  }
}

/** −1 is the last axis. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
