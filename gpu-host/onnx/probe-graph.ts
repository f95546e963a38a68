/** Just enough protobuf to write a graph of one node. */
type Field = readonly [number: number, value: number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

/** A message: numbers (≥ 0, integer) as varint, the others with their length in front. */
function message(...fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === 'number') return Uint8Array.from([...varint(number * 8), ...varint(value)]);
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      return Buffer.concat([Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
    }),
  );
}

const FLOAT = 1;

/** ValueInfoProto of a float tensor; a string among the dims is symbolic. */
const valueInfo = (name: string, dims: readonly (number | string)[], elementType = FLOAT): Uint8Array => {
  const shape = message(
    ...dims.map((dim): Field => [1, typeof dim === 'number' ? message([1, dim]) : message([2, dim])]),
  );
  return message([1, name], [2, message([1, message([1, elementType], [2, shape])])]);
};

/** ModelProto with one node (IR 8, opset 13). */
export function oneNodeModel(node: {
  readonly operator: string;
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs: Readonly<Record<string, readonly (number | string)[]>>;
}): Uint8Array {
  const inputs = Object.entries(node.inputs);
  const outputs = Object.entries(node.outputs);
  const graph = message(
    [
      1,
      message(...inputs.map(([name]): Field => [1, name]), ...outputs.map(([name]): Field => [2, name]), [
        4,
        node.operator,
      ]),
    ],
    [2, 'graph'],
    ...inputs.map(([name, dims]): Field => [11, valueInfo(name, dims)]),
    ...outputs.map(([name, dims]): Field => [12, valueInfo(name, dims)]),
  );
  return message([1, 8], [7, graph], [8, message([1, ''], [2, 13])]);
}

/** y = x for one float: whatever can't run this can't run anything. */
export const probeGraph = (): Uint8Array =>
  oneNodeModel({ operator: 'Identity', inputs: { x: [1] }, outputs: { y: [1] } });
